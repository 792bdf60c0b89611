// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package simulator_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/autoscale"
	"github.com/xflops/flame-operator/internal/autoscale/simulator"
)

func after(d time.Duration) simulator.Duration { return simulator.Duration(d) }

const second = time.Second

// fixed is a cluster of a fixed number of executor managers that start at once,
// so that what is seen is the model of Flame.
func fixed(number int, events ...simulator.Event) simulator.Script {
	return simulator.Script{
		Duration: after(5 * time.Minute),
		Cluster: simulator.Cluster{
			Replicas: number, MinReplicas: number, MaxReplicas: number, PodStart: after(second),
		},
		Events: events,
	}
}

func play(t *testing.T, script simulator.Script) simulator.Result {
	t.Helper()
	result, err := simulator.Run(script, nil)
	require.NoError(t, err)
	return result
}

func most(samples []simulator.Sample, value func(simulator.Sample) int) int {
	most := 0
	for _, s := range samples {
		most = max(most, value(s))
	}
	return most
}

func running(s simulator.Sample) int { return s.Running }

func TestTheModelOfFlame(t *testing.T) {
	two, eight := 2, 8
	load := func(session string, tasks int, change func(*simulator.Event)) simulator.Event {
		e := simulator.Event{At: after(10 * second), Session: session, Tasks: tasks, Each: after(10 * second)}
		if change != nil {
			change(&e)
		}
		return e
	}
	for title, test := range map[string]struct {
		script           simulator.Script
		finished, atWork int
		policy           string
		later            bool
		cpus             int
	}{
		"runs a task on each executor manager": {script: fixed(4, load("s", 20, nil)), finished: 20, atWork: 4},
		"runs as many as there are CPUs":       {script: fixed(4, load("s", 20, nil)), cpus: 2, finished: 20, atWork: 8},
		"keeps to max instances":               {script: fixed(4, load("s", 20, func(e *simulator.Event) { e.MaxInstances = &two })), finished: 20, atWork: 2},
		"gives nothing below a priority whose tasks wait": {
			script: fixed(9, load("high", 500, func(e *simulator.Event) { e.Priority, e.MaxInstances = 1, &two }), load("low", 5, nil)), finished: 2 * 29, atWork: 2},
		"gives nothing to a session that is blocked": {script: fixed(4, load("s", 5, func(e *simulator.Event) { e.Block = true })), finished: 0, atWork: 0},
		"gives nothing but whole batches": {
			script: fixed(7, load("s", 500, func(e *simulator.Event) { e.BatchSize = 4 })), finished: 4 * 29, atWork: 4},
		"gives a batch for a single task, by drf": {script: fixed(7, load("s", 1, func(e *simulator.Event) { e.BatchSize = 4 })), finished: 1, atWork: 1},
		"knows no batches in later versions": {
			script: fixed(7, load("s", 500, func(e *simulator.Event) { e.BatchSize = 4 })), later: true, finished: 7 * 29, atWork: 7},
		"gives a busy session no more than its share, with drf": {
			script: fixed(8, load("busy", 500, func(e *simulator.Event) { e.MaxInstances = &eight }), load("idle", 0, nil)), policy: "drf", finished: 4 * 29, atWork: 4},
		"gives it all of the cluster, with priority": {
			script: fixed(8, load("busy", 500, func(e *simulator.Event) { e.MaxInstances = &eight }), load("idle", 0, nil)), finished: 8 * 29, atWork: 8},
	} {
		t.Run(title, func(t *testing.T) {
			test.script.Cluster.Policy, test.script.Cluster.CPUs = test.policy, test.cpus
			if test.later {
				test.script.Cluster.FlameVersion = "0.6.1"
			}
			result := play(t, test.script)
			assert.Equal(t, test.finished, result.Finished)
			assert.Equal(t, test.atWork, most(result.Samples, running))
		})
	}
}

// The executors of the first session wait for a minute before the second one
// has any of them.
func TestExecutorsThatWaitAreNoneForOthers(t *testing.T) {
	result := play(t, fixed(2,
		simulator.Event{At: after(10 * second), Session: "a", Tasks: 2, Each: after(10 * second)},
		simulator.Event{At: after(30 * second), Session: "b", Tasks: 2, Each: after(10 * second)}))
	assert.Equal(t, 0, most(result.Samples[30:80], running))
	assert.Equal(t, 2, most(result.Samples[80:], running))
	assert.Equal(t, 4, result.Finished)
}

func TestTasksOfALostExecutorManagerRunAgain(t *testing.T) {
	result := play(t, fixed(2,
		simulator.Event{At: after(10 * second), Session: "s", Tasks: 2, Each: after(40 * second)},
		simulator.Event{At: after(20 * second), Lose: 1}))
	assert.Equal(t, 2, result.Finished)
	assert.Equal(t, 1, result.Repeated)
	assert.Equal(t, 1, result.Samples[20].Ready, "it is gone")
	assert.Equal(t, 2, result.Samples[40].Ready, "and has a successor")
	assert.Equal(t, 2, result.Samples[45].Running, "but Flame has not noticed")
}

func TestAClosedSessionLeavesNothing(t *testing.T) {
	result := play(t, fixed(2,
		simulator.Event{At: after(10 * second), Session: "s", Tasks: 9, Each: after(40 * second)},
		simulator.Event{At: after(20 * second), Session: "s", Close: true}))
	assert.Equal(t, simulator.Sample{Second: 20, Desired: 2, Pods: 2, Ready: 2, Needed: 2, Reason: autoscale.AtMinimum}, result.Samples[20])
}

func TestSilenceHidesTheLoad(t *testing.T) {
	script := simulator.Script{
		Duration: after(2 * time.Minute), Cluster: simulator.Cluster{MaxReplicas: 5},
		Events: []simulator.Event{
			{At: after(5 * second), Silent: after(time.Minute)}, {At: after(10 * second), Session: "s", Tasks: 3},
		},
	}
	var silent, heard int
	result, err := simulator.Run(script, func(in autoscale.Input, d autoscale.Decision) {
		if in.Observation == nil {
			silent++
			assert.Equal(t, 0, d.Desired)
		} else {
			heard++
		}
	})
	require.NoError(t, err)
	assert.Equal(t, []int{6, 7}, []int{silent, heard})
	assert.Equal(t, 3, result.Finished)
}

func TestTheSameScriptHasTheSameResult(t *testing.T) {
	script := fixed(3, simulator.Event{Session: "a", Tasks: 50, CPUs: 1}, simulator.Event{At: after(7 * second), Session: "b", Tasks: 9, Priority: 2})
	assert.Equal(t, play(t, script), play(t, script))
}
