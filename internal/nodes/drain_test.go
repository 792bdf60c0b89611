// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"slices"
	"testing"
	"time"

	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
)

func TestOnlyAnExecutorThatSurelyRunsATaskOfAPodThatGoesIsUnbound(t *testing.T) {
	says := func(parts ...func(*observation.Observation)) observation.Latest {
		return says(60, append(parts, node("a", observation.Ready), node("b", observation.Ready))...)
	}
	bound := []func(*observation.Observation){executor("a/1", observation.Bound, "s"), executor("b/1", observation.Bound, "s")}
	full := append(bound, session("s", 5, 2)) //nolint:gocritic // The slices have no room to share.
	soon := 500 * time.Millisecond
	unbind := urgently(Plan{Actions: unbindWithin(1800*time.Millisecond, "a/1"), After: soon})
	halted := urgently(Plan{After: soon})
	at := func(seconds int) podstate.Pod {
		return with(terminating(running("a")), func(p *podstate.Pod) { p.DeletedAt = ago(seconds) })
	}
	tests{
		"not before it is halted for sure": {
			in:   input(says(full...), at(3), running("b")),
			want: urgently(Plan{After: soon}),
		},
		"not after that, and nobody has to watch it closely for a while": {
			in:   input(says(full...), at(6), running("b")),
			want: Plan{After: 22 * time.Second},
		},
		"but soon before it is halted again": {
			in:   input(says(full...), at(28), running("b")),
			want: urgently(Plan{After: 5*time.Second + soon}),
		},
		"but when it is halted again": {
			in:   input(says(full...), at(64), running("b")),
			want: unbind,
		},
		"each before its pod goes on, and first what has the least time": {
			in:   input(says(full...), at(5), with(terminating(running("b")), func(p *podstate.Pod) { p.DeletedAt = ago(34) })),
			want: urgently(Plan{Actions: slices.Concat(unbindWithin(800*time.Millisecond, "a/1"), unbindWithin(1800*time.Millisecond, "b/1")), After: soon}),
		},
		"one that runs a task": {
			in:   input(says(full...), terminating(running("a")), running("b")),
			want: unbind,
		},
		"not one of a pod that is to stay": {
			in:   input(says(full...), running("a"), running("b")),
			want: nothing,
		},
		"not one that may wait, since some of its session do": {
			in:   input(says(append(bound, session("s", 5, 1))...), terminating(running("a")), running("b")),
			want: halted,
		},
		"with nothing pending too, since nothing moves": {
			in:   input(says(append(bound, session("s", 0, 2))...), terminating(running("a")), running("b")),
			want: unbind,
		},
		"not one that leaves its session already": {
			in:   input(says(executor("a/1", observation.Unbinding, "s"), session("s", 5, 1)), terminating(running("a")), running("b")),
			want: nothing,
		},
		"not one that is promised or free": {
			in: input(says(executor("a/1", observation.Binding, "s"), executor("a/2", observation.Idle, ""), executor("a/3", observation.Void, ""),
				session("s", 5, 0)), terminating(running("a")), running("b")),
			want: nothing,
		},
		"each of a pod with several": {
			in: input(says(executor("a/1", observation.Bound, "s"), executor("a/2", observation.Bound, "t"),
				session("s", 5, 1), session("t", 1, 1)), terminating(running("a")), running("b")),
			want: urgently(Plan{Actions: unbindWithin(1800*time.Millisecond, "a/1", "a/2"), After: soon}),
		},
		"one of a pod that was force-deleted while it drained, when it is halted": {
			in:   drained(absent(input(challenged(says(full...), 10), running("b")), "a", 50), 64),
			want: unbind,
		},
		"not when its absence is as old as if it were": {
			in:   drained(absent(input(challenged(says(full...), 10), running("b")), "a", 32), 44),
			want: Plan{After: 14 * time.Second},
		},
		"not one of a pod that was force-deleted at once: it is killed, and would starve its session": {
			in:   absent(input(challenged(says(full...), 10), running("b")), "a", 2),
			want: Plan{After: 20 * time.Second},
		},
		"not one of a pod that only the cache does not show: it may be there to stay": {
			in:   unseen(input(says(full...), running("b")), "a"),
			want: Plan{After: 30 * time.Second},
		},
		"not one of a node that is fenced": {
			in: absent(input(fenced(says(executor("a/1", observation.Bound, "s"), executor("b/1", observation.Bound, "s"),
				session("s", 5, 2), empty("c", observation.Ready)), 0), running("b")), "a", 92),
			want: urgently(Plan{After: 45 * time.Second}),
		},
		"none while Flame is silent": {
			in:   silent(input(says(full...), terminating(running("a")), running("b"))),
			want: nothing,
		},
	}.run(t)
}
