// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package autoscale_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/autoscale"
	"github.com/xflops/flame-operator/internal/autoscale/simulator"
)

func seconds(n int) simulator.Duration { return simulator.Duration(time.Duration(n) * time.Second) }

// anyScript is a load of some sessions over twenty minutes, with failures, and
// then time for all of it to end.
func anyScript(random *rand.Rand) (script simulator.Script, count int) {
	delay := 10 * (1 + random.IntN(15))
	script = simulator.Script{
		Duration: seconds(3 * 3600),
		Cluster: simulator.Cluster{
			Replicas: random.IntN(4), MaxReplicas: 4 + random.IntN(12), MinReplicas: random.IntN(3),
			ScaleDownDelaySeconds: &delay, MaxStarting: max(0, random.IntN(8)-4), CPUs: 1 + random.IntN(4),
			PodStart: seconds(1 + random.IntN(60)),
		},
	}
	if random.IntN(3) == 0 {
		script.Cluster.FlameVersion = "0.6.1"
	}
	sessions := 1 + random.IntN(5)
	for range 4 + random.IntN(10) {
		n := random.IntN(sessions)
		e := simulator.Event{
			At: seconds(random.IntN(1200)), Session: fmt.Sprintf("s%d", n), Priority: n % 3, BatchSize: 1 + n%2,
			CPUs: 1 + n%script.Cluster.CPUs, Tasks: 1 + random.IntN(40), Each: seconds(1 + random.IntN(40)),
		}
		switch random.IntN(6) {
		case 0:
			e.Silent = seconds(random.IntN(200))
		case 1:
			e.Lose = 1 + random.IntN(3)
		}
		count += e.Tasks
		script.Events = append(script.Events, e)
	}
	return script, count
}

// decisions are what was decided in a simulation, in order.
type decisions struct {
	inputs  []autoscale.Input
	results []autoscale.Decision
}

func (d *decisions) watch(in autoscale.Input, result autoscale.Decision) {
	d.inputs = append(d.inputs, in)
	d.results = append(d.results, result)
}

func TestSimulatedLoadsRunAndLeaveNothingBehind(t *testing.T) {
	for seed := range uint64(80) {
		script, count := anyScript(rand.New(rand.NewPCG(seed, 3)))
		var seen decisions
		result, err := simulator.Run(script, seen.watch)
		require.NoError(t, err)
		require.Equal(t, count, result.Finished, "seed %d: tasks were left: %s", seed, result.LastMessage)
		last := result.Samples[len(result.Samples)-1]
		require.Equal(t, script.Cluster.MinReplicas, last.Pods, "seed %d: executor managers are left", seed)
		seen.check(t, seed)
	}
}

// check compares what is decided with what was needed within the delay, of which check
// keeps the full history.
func (d *decisions) check(t *testing.T, seed uint64) {
	t.Helper()
	var raisedAt time.Time
	for i, in := range d.inputs {
		got, before := d.results[i], in.Start
		if i > 0 {
			before = d.results[i-1].Desired
		}
		require.LessOrEqual(t, got.Desired, in.Bounds.Max, "seed %d", seed)
		require.GreaterOrEqual(t, got.Desired, max(in.Bounds.Min, min(busy(in), in.Bounds.Max)), "seed %d", seed)
		switch {
		case got.Desired > before:
			raisedAt = in.Now
		case got.Desired < before:
			require.GreaterOrEqual(t, in.Now.Sub(raisedAt), in.Bounds.Delay, "seed %d: down within the delay of an up", seed)
			for j := i; j >= 0 && in.Now.Sub(d.inputs[j].Now) < in.Bounds.Delay; j-- {
				require.LessOrEqual(t, min(d.results[j].Memory.Needed, d.results[j].Desired), got.Desired, "seed %d: more was needed within the delay", seed)
			}
		}
		if in.Observation == nil {
			require.Equal(t, before, got.Desired, "seed %d: changed in silence", seed)
		}
	}
}

// A queue that never ends keeps everything as it is once it has started.
func TestAConstantLoadSettlesAndStays(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 4))
		script := simulator.Script{
			Duration: seconds(3600),
			Cluster:  simulator.Cluster{MaxReplicas: 30, CPUs: 1 + random.IntN(4), MaxStarting: random.IntN(4), PodStart: seconds(1 + random.IntN(40))},
		}
		for i := range 1 + random.IntN(4) {
			most := 1 + random.IntN(9)
			script.Events = append(script.Events, simulator.Event{
				Session: fmt.Sprintf("s%d", i), Tasks: 20000, Each: seconds(3 + random.IntN(20)), MaxInstances: &most, CPUs: 1 + i%script.Cluster.CPUs,
			})
		}
		result, err := simulator.Run(script, nil)
		require.NoError(t, err)
		settled := result.Samples[1200]
		for _, sample := range result.Samples[1200:] {
			require.Equal(t, settled.Desired, sample.Desired, "seed %d, second %d", seed, sample.Second)
			require.Equal(t, settled.Desired, sample.Ready, "seed %d, second %d", seed, sample.Second)
		}
		require.Positive(t, settled.Desired)
	}
}
