// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/xflops/flame-operator/internal/flame/action"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
)

type tests map[string]struct {
	in   Input
	want Plan
}

func (tests tests) run(t *testing.T) {
	t.Helper()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, Decide(test.in, noon))
		})
	}
}

func urgently(plan Plan) Plan {
	plan.Urgent = true
	return plan
}

var (
	nothing = Plan{}
	fenceA  = urgently(Plan{Actions: do(action.Fence, "a")})
	// silentA fences a node of which no kubelet has said that its process ended.
	silentA = urgently(Plan{Actions: do(action.FenceSilent, "a")})
)

func TestANameWhoseProcessIsGoneIsFencedAtOnceAndReleasedWhenItIsGivenUp(t *testing.T) {
	tests{
		"a pod that ended is fenced while Flame calls its node Ready": {
			in:   input(says(60, node("a", observation.Ready), executor("a/1", observation.Bound, "s"), session("s", 3, 1)), ended("a")),
			want: fenceA,
		},
		"a pod that ended is fenced when its stream has ended": {
			in:   input(says(1, node("a", observation.Unknown)), ended("a")),
			want: fenceA,
		},
		"a pod that ended and is on its way out is fenced": {
			in:   input(says(1, node("a", observation.Unknown)), terminating(ended("a"))),
			want: fenceA,
		},
		"a pod that ended and that Flame does not know is no matter": {
			in:   input(says(60, node("b", observation.Ready)), ended("a"), running("b")),
			want: nothing,
		},
		"a pod that is absent is fenced when its stream has ended": {
			in:   absent(input(says(1, node("a", observation.Unknown))), "a", 0),
			want: silentA,
		},
		"a pod that is absent is fenced when Flame has given it up": {
			in:   absent(input(says(1, node("a", observation.NotReady))), "a", 0),
			want: silentA,
		},
		"it is not fenced again while it drains": {
			in:   absent(input(fenced(says(1, empty("a", observation.Unknown), executor("a/1", observation.Bound, "s")), 44)), "a", 44),
			want: urgently(Plan{After: time.Second}),
		},
		"nor is a pod that ended": {
			in:   input(fenced(says(1, empty("a", observation.Unknown)), 10), ended("a")),
			want: urgently(Plan{After: 35 * time.Second}),
		},
		"it is not fenced again before Flame has said what came of it": {
			in:   absent(input(fenced(says(1, node("a", observation.Unknown)), 0)), "a", 5),
			want: urgently(Plan{After: 45 * time.Second}),
		},
		"it is fenced again when it came to nothing": {
			in:   absent(input(fenced(says(20, node("a", observation.Unknown)), 2)), "a", 5),
			want: silentA,
		},
		"it is fenced again when its drain has taken too long": {
			in:   absent(input(fenced(says(1, empty("a", observation.Unknown)), 45)), "a", 45),
			want: silentA,
		},
		"it is fenced again when the session manager was started after the fence": {
			in:   restarted(absent(input(fenced(says(10, empty("a", observation.Unknown)), 10)), "a", 30), 5),
			want: silentA,
		},
		"it is not when the session manager was started before": {
			in:   restarted(absent(input(fenced(says(10, empty("a", observation.Unknown)), 10)), "a", 30), 15),
			want: urgently(Plan{After: 35 * time.Second}),
		},
		"an operator that was restarted takes a node that drains for one just fenced": {
			in:   absent(input(says(1, empty("a", observation.Unknown))), "a", 0),
			want: urgently(Plan{After: 44 * time.Second}),
		},
		"it is released when it is NotReady, empty and holds nothing": {
			in:   absent(input(fenced(says(1, empty("a", observation.NotReady)), 31)), "a", 31),
			want: urgently(Plan{Actions: do(action.Release, "a")}),
		},
		"it is fenced and not released while it holds anything": {
			in:   absent(input(says(1, empty("a", observation.NotReady), executor("a/1", observation.Void, ""))), "a", 31),
			want: silentA,
		},
		"it is fenced and not released while it has anything to give, since Flame gives it": {
			in:   absent(input(says(60, node("a", observation.NotReady))), "a", 31),
			want: silentA,
		},
		"it is not released while it drains, which would orphan its executors": {
			in:   absent(input(fenced(says(29, empty("a", observation.Unknown)), 29)), "a", 31),
			want: urgently(Plan{After: 16 * time.Second}),
		},
		"a Void executor of a node that is not listed starves its session until it is fenced": {
			in:   absent(input(says(60, executor("a/1", observation.Void, ""))), "a", 0),
			want: silentA,
		},
		"when nothing is left of a name nothing is done": {
			in:   input(says(60, node("b", observation.Ready)), running("b")),
			want: nothing,
		},
		"all of them are fenced": {
			in:   absent(absent(input(says(1, node("a", observation.Unknown), node("b", observation.Unknown))), "a", 0), "b", 0),
			want: urgently(Plan{Actions: do(action.FenceSilent, "a", "b")}),
		},
		"nothing is fenced or released while Flame is silent": {
			in: silent(absent(input(says(1, node("a", observation.Unknown), empty("c", observation.NotReady)), ended("b"), ended("c")),
				"a", 0)),
			want: nothing,
		},
		"nothing is fenced before Flame has said anything": {
			in:   absent(input(observation.Latest{}, ended("b")), "a", 0),
			want: nothing,
		},
	}.run(t)
}

func TestANodeWhoseProcessMayBeConnectedIsNeverFenced(t *testing.T) {
	tests{
		"a partitioned pod whose node is Unknown": {
			in:   input(says(20, node("a", observation.Unknown)), running("a")),
			want: urgently(Plan{Gates: map[string]bool{"a": false}, After: 25 * time.Second}),
		},
		"a partitioned pod whose node is given up": {
			in:   input(says(1, node("a", observation.NotReady)), running("a")),
			want: Plan{Gates: map[string]bool{"a": false}, Lost: []Loss{useless(loss(GivenUp, 1))}},
		},
		"a partitioned pod that is on its way out and whose node is given up": {
			in:   input(says(1, node("a", observation.NotReady)), terminating(running("a"))),
			want: Plan{Lost: []Loss{useless(loss(GivenUp, 1))}},
		},
		"a slow pod that takes its time to end": {
			in:   input(says(600, node("a", observation.Unknown)), terminating(running("a"))),
			want: nothing,
		},
		"a slow pod that has started and is not listed yet": {
			in:   input(says(600, node("b", observation.Ready)), podstate.Pod{Name: "a", StartedAt: ago(600)}, running("b")),
			want: nothing,
		},
		"a force-deleted pod that is still running, as long as it answers, whatever its grace period": {
			in:   absent(input(challenged(says(600, node("a", observation.Ready)), 10)), "a", 7200),
			want: Plan{After: 20 * time.Second},
		},
		"a pod that the cache does not show and the server does, whatever its node's state": {
			in:   unseen(input(says(600, node("a", observation.Unknown))), "a"),
			want: Plan{After: 30 * time.Second},
		},
		"one that Flame does not list and whose executors may be at work, within its grace period": {
			in:   absent(input(says(600, executor("a/1", observation.Unbinding, "s"), session("s", 0, 1))), "a", 299),
			want: Plan{After: time.Second},
		},
		"but not after that": {
			in:   absent(input(says(600, executor("a/1", observation.Unbinding, "s"), session("s", 0, 1))), "a", 300),
			want: silentA,
		},
	}.run(t)
}

func TestANodeThatNoPodHasAndFlameCallsReadyIsChallenged(t *testing.T) {
	ready := node("a", observation.Ready)
	challenge := urgently(Plan{Actions: do(action.Challenge, "a"), After: 20 * time.Second})
	tests{
		"at first": {
			in:   absent(input(says(600, ready)), "a", 0),
			want: challenge,
		},
		"a ghost of before the session manager was started": {
			in:   restarted(absent(input(says(60, ready, executor("a/1", observation.Bound, "s"))), "a", 0), 60),
			want: urgently(Plan{Actions: do(action.Challenge, "a"), After: silence}),
		},
		"not before Flame has said what came of it": {
			in:   absent(input(challenged(says(600, ready), 0)), "a", 100),
			want: urgently(Plan{After: 20 * time.Second}),
		},
		"not again soon after it has answered": {
			in:   absent(input(challenged(says(600, ready), 29)), "a", 100),
			want: Plan{After: time.Second},
		},
		"but after a while, since a session manager may have been started anew": {
			in:   absent(input(challenged(says(600, ready), 30)), "a", 100),
			want: challenge,
		},
		"it is given the time of four heartbeats": {
			in:   absent(input(challenged(says(20, empty("a", observation.Ready)), 25)), "a", 100),
			want: urgently(Plan{After: time.Second}),
		},
		"and fenced when it has let them pass": {
			in:   absent(input(challenged(says(21, empty("a", observation.Ready)), 25)), "a", 100),
			want: silentA,
		},
		"a pod that has ended is not asked": {
			in:   input(says(600, ready), ended("a")),
			want: fenceA,
		},
		"nor is one that is there": {
			in:   input(says(600, empty("a", observation.Ready)), running("a")),
			want: nothing,
		},
		"nor one of which Flame has said nothing lately": {
			in:   silent(absent(input(says(600, ready)), "a", 100)),
			want: nothing,
		},
	}.run(t)
}

func TestAFencedNodeIsClearedOfWhatStarvesSessions(t *testing.T) {
	on := func(parts ...func(*observation.Observation)) Input {
		return input(fenced(says(5, append(parts, empty("a", observation.Unknown))...), 5), ended("a"))
	}
	waits := urgently(Plan{After: 40 * time.Second})
	cleared := urgently(Plan{Actions: do(action.Clear, "a"), After: 40 * time.Second})
	tests{
		"of a Void executor":                             {in: on(executor("a/1", observation.Void, "")), want: cleared},
		"of one that was promised to a session":          {in: on(executor("a/1", observation.Binding, "s"), session("s", 5, 1)), want: cleared},
		"of one that was about to leave":                 {in: on(executor("a/1", observation.Releasing, "")), want: cleared},
		"of one that has left its session":               {in: on(executor("a/1", observation.Unbinding, ""), session("s", 5, 1)), want: cleared},
		"of one that leaves a session that runs no task": {in: on(executor("a/1", observation.Unbinding, "s"), session("s", 5, 0)), want: cleared},
		"not of one that leaves, and may run a task":     {in: on(executor("a/1", observation.Unbinding, "s"), session("s", 5, 1)), want: waits},
		"not of one that serves a session, whose task has to be given back": {
			in: on(executor("a/1", observation.Bound, "s"), session("s", 5, 1)), want: waits,
		},
		"not of an Idle one, which will be something else in a moment": {in: on(executor("a/1", observation.Idle, "")), want: waits},
		"once for all of them": {
			in: on(executor("a/1", observation.Void, ""), executor("a/2", observation.Binding, "s")), want: cleared,
		},
		"not before it is fenced": {
			in:   input(says(5, node("a", observation.Unknown), executor("a/1", observation.Void, "")), ended("a")),
			want: fenceA,
		},
		"not before Flame has said what came of the fence": {
			in:   input(fenced(says(5, empty("a", observation.Unknown), executor("a/1", observation.Void, "")), 0), ended("a")),
			want: urgently(Plan{After: 45 * time.Second}),
		},
		"not when its process may come back": {
			in:   absent(input(fenced(says(5, empty("a", observation.Unknown), executor("a/1", observation.Void, "")), 5)), "a", 5),
			want: waits,
		},
		"not when it has a pod that only the cache does not show": {
			in:   unseen(input(fenced(says(5, empty("a", observation.Unknown), executor("a/1", observation.Void, "")), 5)), "a"),
			want: Plan{After: 30 * time.Second},
		},
		"not while Flame is silent": {in: silent(on(executor("a/1", observation.Void, ""))), want: nothing},
	}.run(t)
}

func TestStrangersAreTheNamesOfAClusterThatNoPodHas(t *testing.T) {
	latest := says(60,
		node("c-executor-manager-b", observation.Ready), node("c-executor-manager-a", observation.NotReady),
		node("c-executor-manager-pod", observation.Ready), node("somebody-else", observation.Ready),
		executor("c-executor-manager-orphan/1", observation.Void, ""), executor("c-executor-manager-a/1", observation.Void, ""),
		executor("somebody/1", observation.Void, ""),
	)
	pods := []podstate.Pod{{Name: "c-executor-manager-pod"}}
	assert.Equal(t, []string{"c-executor-manager-a", "c-executor-manager-b", "c-executor-manager-orphan"},
		Strangers(latest, "c-executor-manager-", pods))
	assert.Empty(t, Strangers(observation.Latest{}, "c-executor-manager-", pods), "nothing is known")
	assert.Empty(t, Strangers(says(60), "", nil), "nothing is listed")
}
