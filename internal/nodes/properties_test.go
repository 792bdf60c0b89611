// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/flame/action"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
)

func TestTheSameInputMakesTheSamePlanInWhateverOrder(t *testing.T) {
	planned := 0
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 1))
		in := randomInput(random)
		before := toJSON(t, in)
		plan := Decide(in, noon)
		require.Equal(t, plan, Decide(in, noon), "seed %d: same input, another plan", seed)
		require.Equal(t, before, toJSON(t, in), "seed %d: the input was changed", seed)
		random.Shuffle(len(in.Pods), func(i, j int) { in.Pods[i], in.Pods[j] = in.Pods[j], in.Pods[i] })
		random.Shuffle(len(in.Gone), func(i, j int) { in.Gone[i], in.Gone[j] = in.Gone[j], in.Gone[i] })
		require.Equal(t, plan, Decide(in, noon), "seed %d: another order, another plan", seed)
		planned += len(plan.Actions) - len(targets(plan, action.Resync)) + len(plan.Lost)
	}
	require.Greater(t, planned, 500)
}

// TestWhatEveryPlanKeepsTo looks at plans for whatever input, consistent or not.
func TestWhatEveryPlanKeepsTo(t *testing.T) {
	for seed := range uint64(3000) {
		in := randomInput(rand.New(rand.NewPCG(seed, 2)))
		plan := Decide(in, noon)
		process, going := map[string]Process{}, map[string]bool{}
		for _, pod := range in.Pods {
			process[pod.Name], going[pod.Name] = map[bool]Process{false: Alive, true: Ended}[pod.Ended], pod.Terminating
		}
		for _, gone := range in.Gone {
			process[gone.Name], going[gone.Name] = gone.Process, gone.Process == Absent
		}
		once := map[string]bool{}
		for _, name := range targets(plan, action.Fence, action.FenceSilent, action.Clear, action.Challenge, action.Release) {
			assert.NotEqual(t, Alive, process[name], "seed %d: %q has a pod that lives", seed, name)
			assert.False(t, once[name], "seed %d: %q twice", seed, name)
			once[name] = true
		}
		for _, name := range targets(plan, action.Fence, action.Clear) {
			assert.Equal(t, Ended, process[name], "seed %d: %q may live", seed, name)
		}
		for _, name := range targets(plan, action.FenceSilent) {
			node, _ := in.Latest.Observation.Node(name)
			assert.True(t, node.State != observation.Ready || node.Silent(), "seed %d: %q may be connected", seed, name)
		}
		for _, name := range targets(plan, action.Resync) {
			assert.True(t, process[name] == Alive && !going[name], "seed %d: %q is sent executors", seed, name)
		}
		work := map[string]observation.Work{}
		owner := map[string]string{}
		if in.Latest.Known() {
			work = in.Latest.Observation.Work()
			for _, e := range in.Latest.Observation.Executors {
				owner[e.ID] = e.Node
			}
		}
		for _, id := range targets(plan, action.Unbind) {
			assert.Equal(t, observation.RunsTask, work[id], "seed %d: %q may wait", seed, id)
			assert.True(t, going[owner[id]], "seed %d: %q is of a pod that stays", seed, id)
			assert.NotContains(t, targets(plan, action.Fence, action.FenceSilent), owner[id], "seed %d: %q is of a node that is fenced", seed, id)
		}
		clear(once)
		for _, loss := range plan.Lost {
			assert.Equal(t, Alive, process[loss.Pod], "seed %d: %q ended, and is lost", seed, loss.Pod)
			assert.False(t, once[loss.Pod], "seed %d: %q is lost twice", seed, loss.Pod)
			once[loss.Pod] = true
		}
		if !in.Recent {
			assert.Empty(t, targets(plan, action.Fence, action.FenceSilent, action.Clear, action.Challenge, action.Resync), "seed %d", seed)
			assert.Empty(t, plan.Gates, "seed %d", seed)
			assert.Empty(t, targets(plan, action.Unbind), "seed %d", seed)
		}
		assert.GreaterOrEqual(t, plan.After, time.Duration(0), "seed %d", seed)
	}
}

// randomInput is anything that may be, and some that may not.
func randomInput(random *rand.Rand) Input {
	past := func(longest int) time.Time { return ago(random.IntN(longest)) }
	var parts []func(*observation.Observation)
	in := Input{Recent: random.IntN(8) > 0, Grace: time.Minute}
	in.SessionManager.StartedAt = past(120)
	in.SessionManager.ReadySince = in.SessionManager.StartedAt.Add(time.Duration(random.IntN(5)) * time.Second)
	if random.IntN(8) == 0 {
		in = away(in)
	}
	if random.IntN(8) == 0 {
		in.StateSince = in.SessionManager.StartedAt
	}
	states := []observation.NodeState{observation.Ready, observation.Ready, observation.Unknown, observation.NotReady, observation.Absent}
	held := []observation.ExecutorState{observation.Void, observation.Bound, observation.Bound, observation.Unbinding, observation.Idle}
	for i := range random.IntN(8) {
		name := fmt.Sprintf("pod-%d", i)
		switch state := states[random.IntN(len(states))]; {
		case state == observation.Absent:
		case random.IntN(3) == 0:
			parts = append(parts, empty(name, state))
		default:
			parts = append(parts, node(name, state))
		}
		for j := range random.IntN(3) {
			parts = append(parts, executor(fmt.Sprintf("%s/%d", name, j), held[random.IntN(len(held))], fmt.Sprintf("session-%d", random.IntN(2))))
		}
		if random.IntN(3) == 0 {
			in.Gone = append(in.Gone, Gone{Name: name, Process: []Process{Alive, Absent, Absent}[random.IntN(3)], Since: past(120)})
			continue
		}
		in.Pods = append(in.Pods, podstate.Pod{
			Name: name, Ended: random.IntN(4) == 3, Terminating: random.IntN(4) == 0,
			StartedAt: past(600), Restarted: random.IntN(20) == 0, Connected: random.IntN(5) > 0, Linked: random.IntN(4) > 0,
			LinkSince: past(100), Gate: random.IntN(2) == 0,
		})
	}
	for i := range 2 {
		parts = append(parts, session(fmt.Sprintf("session-%d", i), random.IntN(3), random.IntN(6)))
	}
	in.Latest = says(1+random.IntN(120), parts...)
	for i := range random.IntN(8) {
		name := fmt.Sprintf("pod-%d", i)
		in.Latest = []observation.Latest{
			in.Latest.Fenced(name, past(60)), in.Latest.Challenged(name, past(60)), in.Latest.Resynced(name, past(60)), in.Latest,
		}[random.IntN(4)]
	}
	return in
}

func toJSON(t *testing.T, in Input) string {
	t.Helper()
	data, err := json.Marshal(in)
	require.NoError(t, err)
	return string(data)
}
