// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/xflops/flame-operator/internal/flame/observation"
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
	fenceA  = urgently(Plan{Fence: []string{"a"}})
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
			want: fenceA,
		},
		"a pod that is absent is fenced when Flame has given it up": {
			in:   absent(input(says(1, node("a", observation.NotReady))), "a", 0),
			want: fenceA,
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
			want: fenceA,
		},
		"it is fenced again when its drain has taken too long": {
			in:   absent(input(fenced(says(1, empty("a", observation.Unknown)), 45)), "a", 45),
			want: fenceA,
		},
		"it is fenced again when the session manager was started after the fence": {
			in:   restarted(absent(input(fenced(says(10, empty("a", observation.Unknown)), 10)), "a", 30), 5),
			want: fenceA,
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
			want: urgently(Plan{Release: []string{"a"}}),
		},
		"it is fenced and not released while it holds anything": {
			in:   absent(input(says(1, empty("a", observation.NotReady), executor("a/1", observation.Void, ""))), "a", 31),
			want: fenceA,
		},
		"it is fenced and not released while it has anything to give, since Flame gives it": {
			in:   absent(input(says(60, node("a", observation.NotReady))), "a", 31),
			want: fenceA,
		},
		"it is not released while it drains, which would orphan its executors": {
			in:   absent(input(fenced(says(29, empty("a", observation.Unknown)), 29)), "a", 31),
			want: urgently(Plan{After: 16 * time.Second}),
		},
		"a Void executor of a node that is not listed starves its session until it is fenced": {
			in:   absent(input(says(60, executor("a/1", observation.Void, ""))), "a", 0),
			want: fenceA,
		},
		"when nothing is left of a name nothing is done": {
			in:   input(says(60, node("b", observation.Ready)), running("b")),
			want: nothing,
		},
		"all of them are fenced": {
			in:   absent(absent(input(says(1, node("a", observation.Unknown), node("b", observation.Unknown))), "a", 0), "b", 0),
			want: urgently(Plan{Fence: []string{"a", "b"}}),
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

func TestANodeWhoseProcessMayLiveIsNeverFenced(t *testing.T) {
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
			want: urgently(Plan{Lost: []Loss{useless(loss(GivenUp, 1))}}),
		},
		"a slow pod that takes its time to end": {
			in:   input(says(600, node("a", observation.Unknown)), terminating(running("a"))),
			want: urgently(Plan{}),
		},
		"a slow pod that has started and is not listed yet": {
			in:   input(says(600, node("b", observation.Ready)), Pod{Name: "a", Process: Alive, StartedAt: ago(600)}, running("b")),
			want: nothing,
		},
		"a force-deleted pod that is still running, within its grace period": {
			in:   absent(input(says(600, node("a", observation.Ready), executor("a/1", observation.Bound, "s"), session("s", 0, 1))), "a", 299),
			want: urgently(Plan{After: time.Second}),
		},
		"a ghost of before the session manager was started, within the grace period": {
			in:   restarted(absent(input(says(600, node("a", observation.Ready), executor("a/1", observation.Void, ""))), "a", 100), 100),
			want: urgently(Plan{After: 200 * time.Second}),
		},
		"but a ghost is fenced when the grace period is over": {
			in:   restarted(absent(input(says(600, node("a", observation.Ready), executor("a/1", observation.Bound, "s"))), "a", 300), 400),
			want: fenceA,
		},
		"a pod that the cache does not show and the server does, whatever its node's state": {
			in:   unseen(input(says(600, node("a", observation.Unknown))), "a"),
			want: Plan{After: 30 * time.Second},
		},
	}.run(t)
}

func TestStrangersAreTheNamesOfAClusterThatNoPodHas(t *testing.T) {
	latest := says(60,
		node("c-executor-manager-b", observation.Ready), node("c-executor-manager-a", observation.NotReady),
		node("c-executor-manager-pod", observation.Ready), node("somebody-else", observation.Ready),
		executor("c-executor-manager-orphan/1", observation.Void, ""), executor("c-executor-manager-a/1", observation.Void, ""),
		executor("somebody/1", observation.Void, ""),
	)
	pods := []Pod{{Name: "c-executor-manager-pod"}}
	assert.Equal(t, []string{"c-executor-manager-a", "c-executor-manager-b", "c-executor-manager-orphan"},
		Strangers(latest, "c-executor-manager-", pods))
	assert.Empty(t, Strangers(observation.Latest{}, "c-executor-manager-", pods), "nothing is known")
	assert.Empty(t, Strangers(says(60), "", nil), "nothing is listed")
}
