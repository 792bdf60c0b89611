// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package observation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// follow folds observations into what is remembered after the last.
func follow(observations ...Observation) Track {
	var t Track
	for _, o := range observations {
		t = Next(t, o)
	}
	return t
}

func TestNodesAreTracked(t *testing.T) {
	holds := executor("1", "n", Bound, "s")
	tests := map[string]struct {
		observations []Observation
		want         NodeTrack
	}{
		"a node has been in its state since it was first seen in it": {
			observations: []Observation{at(0, []Node{node("n", Ready)}, holds), at(10, []Node{node("n", NotReady)}, holds), at(20, []Node{node("n", NotReady)}, holds)},
			want:         NodeTrack{State: NotReady, Since: after(10)},
		},
		"one that was ready in between starts anew": {
			observations: []Observation{at(0, []Node{node("n", Unknown)}, holds), at(10, []Node{node("n", Ready)}, holds), at(20, []Node{node("n", Unknown)}, holds)},
			want:         NodeTrack{State: Unknown, Since: after(20)},
		},
		"one that was not listed in between starts anew": {
			observations: []Observation{at(0, []Node{node("n", Ready)}), at(10, nil), at(20, []Node{node("n", Ready)})},
			want:         NodeTrack{State: Ready, Since: after(20), IdleSince: after(20), Idle: 1},
		},
		"one that only an executor names is absent": {
			observations: []Observation{at(0, nil, holds), at(10, nil, holds)},
			want:         NodeTrack{State: Absent, Since: after(0)},
		},
		"a node without an executor once is not idle yet": {
			observations: []Observation{at(0, []Node{node("n", Ready)}, holds), at(10, []Node{node("n", Ready)})},
			want:         NodeTrack{State: Ready, Since: after(0), IdleSince: after(10), Idle: 1},
		},
		"in two observations it is, and counts no further": {
			observations: []Observation{at(0, []Node{node("n", Ready)}), at(10, []Node{node("n", Ready)}), at(20, []Node{node("n", Ready)})},
			want:         NodeTrack{State: Ready, Since: after(0), IdleSince: after(0), Idle: SettledIdle},
		},
		"an executor of any state ends it": {
			observations: []Observation{
				at(0, []Node{node("n", Ready)}), at(10, []Node{node("n", Ready)}), at(20, []Node{node("n", Ready)}, executor("1", "n", Void, "")),
				at(30, []Node{node("n", Ready)}),
			},
			want: NodeTrack{State: Ready, Since: after(0), IdleSince: after(30), Idle: 1},
		},
		"a node that drains with nothing to give is fenced since that was first seen": {
			observations: []Observation{at(0, []Node{node("n", Unknown)}, holds), at(10, []Node{fenced()}, holds), at(20, []Node{fenced()}, holds)},
			want:         NodeTrack{State: Unknown, Since: after(0), FencedSince: after(10)},
		},
		"a challenge is remembered, and a node silent since that was first seen": {
			observations: []Observation{at(0, []Node{node("n", Ready)}, holds), at(10, []Node{silent()}, holds), at(20, []Node{silent()}, holds)},
			want:         NodeTrack{State: Ready, Since: after(0), SilentSince: after(10)},
		},
		"one that has answered is silent no longer": {
			observations: []Observation{at(0, []Node{silent()}, holds), at(10, []Node{node("n", Ready)}, holds)},
			want:         NodeTrack{State: Ready, Since: after(0)},
		},
		"and if it falls silent again it is so anew": {
			observations: []Observation{at(0, []Node{silent()}, holds), at(10, []Node{node("n", Ready)}, holds), at(20, []Node{silent()}, holds)},
			want:         NodeTrack{State: Ready, Since: after(0), SilentSince: after(20)},
		},
		"one that is given up is fenced no longer": {
			observations: []Observation{at(0, []Node{fenced()}, holds), at(30, []Node{{Name: "n", State: NotReady}}, holds)},
			want:         NodeTrack{State: NotReady, Since: after(30)},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, follow(test.observations...).Nodes["n"])
		})
	}
}

func TestFenceIsRememberedFromWhenItWasMade(t *testing.T) {
	holds := executor("1", "n", Bound, "s")
	track := follow(at(0, []Node{node("n", Unknown)}, holds)).Fenced("n", after(5))
	assert.Equal(t, after(5), track.Nodes["n"].FencedSince)

	underWay := Next(track, at(4, []Node{node("n", Unknown)}, holds))
	assert.Equal(t, after(5), underWay.Nodes["n"].FencedSince, "after an observation that began before the fence")

	seen := Next(underWay, at(6, []Node{fenced()}, holds))
	assert.Equal(t, NodeTrack{State: Unknown, Since: after(0), FencedSince: after(5)}, seen.Nodes["n"])

	again := Next(seen.Fenced("n", after(60)), at(61, []Node{fenced()}, holds))
	assert.Equal(t, after(60), again.Nodes["n"].FencedSince, "after a second fence")

	failed := Next(track, at(10, []Node{node("n", Unknown)}, holds))
	assert.Zero(t, failed.Nodes["n"].FencedSince, "of a fence that did not hold")
	assert.Equal(t, after(5), Track{}.Fenced("n", after(5)).Nodes["n"].FencedSince, "of a node that was never seen")
}

func TestResyncsAreRememberedAsLongAsAnExecutorIsVoid(t *testing.T) {
	void := executor("1", "n", Void, "")
	track := follow(at(0, []Node{node("n", Ready)}, void)).Resynced("n", after(20)).Resynced("n", after(30))
	track = Next(track, at(31, []Node{node("n", Ready)}, void))
	assert.Equal(t, NodeTrack{State: Ready, Since: after(0), Resyncs: 2, ResyncedAt: after(30)}, track.Nodes["n"])
	track = Next(track, at(41, []Node{node("n", Ready)}, executor("1", "n", Idle, "")))
	assert.Equal(t, NodeTrack{State: Ready, Since: after(0)}, track.Nodes["n"])
}

func TestChallengesAreRememberedAsLongAsTheNodeIs(t *testing.T) {
	track := follow(at(0, []Node{node("n", Ready)})).Challenged("n", after(5))
	assert.Equal(t, after(5), Next(track, at(10, []Node{silent()})).Nodes["n"].ChallengedAt)
	assert.Empty(t, Next(track, at(10, nil)).Nodes)
}

func TestTracksAreReplacedAndNeverChanged(t *testing.T) {
	before := follow(at(0, []Node{node("n", Ready)}))
	before.Fenced("n", after(5))
	before.Challenged("n", after(5))
	before.Resynced("n", after(5))
	Next(before, at(10, []Node{node("n", NotReady)}))
	assert.Equal(t, follow(at(0, []Node{node("n", Ready)})), before)
}

func TestExecutorsAreTracked(t *testing.T) {
	nodes := []Node{node("n", Ready)}
	tests := map[string]struct {
		observations []Observation
		want         map[string]ExecutorTrack
	}{
		"since it was first seen in its state": {
			observations: []Observation{at(0, nodes, executor("1", "n", Void, "")), at(10, nodes, executor("1", "n", Void, ""))},
			want:         map[string]ExecutorTrack{"1": {State: Void, Since: after(0)}},
		},
		"another state starts anew": {
			observations: []Observation{at(0, nodes, executor("1", "n", Void, "")), at(10, nodes, executor("1", "n", Binding, "s"))},
			want:         map[string]ExecutorTrack{"1": {State: Binding, Session: "s", Since: after(10)}},
		},
		"so does another session": {
			observations: []Observation{at(0, nodes, executor("1", "n", Bound, "s")), at(10, nodes, executor("1", "n", Bound, "t"))},
			want:         map[string]ExecutorTrack{"1": {State: Bound, Session: "t", Since: after(10)}},
		},
		"one that is gone is forgotten": {
			observations: []Observation{at(0, nodes, executor("1", "n", Bound, "s")), at(10, nodes)},
			want:         map[string]ExecutorTrack{},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, follow(test.observations...).Executors)
		})
	}
}

func TestStall(t *testing.T) {
	look := func(seconds int, s Session, executors ...Executor) Observation {
		return Observation{At: after(seconds), Sessions: []Session{s}, Executors: executors}
	}
	ended := func(s Session, tasks int) Session {
		s.Succeeded = tasks
		return s
	}
	void := executor("1", "n", Void, "")
	tests := map[string]struct {
		observations []Observation
		want         time.Time
	}{
		"tasks wait and nothing moves": {
			observations: []Observation{look(0, session("s", 2, 0), void), look(10, session("s", 2, 0), void), look(20, session("s", 2, 0), void)},
			want:         after(0),
		},
		"tasks that come are no progress": {
			observations: []Observation{look(0, session("s", 2, 0)), look(10, session("s", 9, 0))},
			want:         after(0),
		},
		"a task that ended is": {
			observations: []Observation{look(0, session("s", 2, 1)), look(10, ended(session("s", 1, 1), 1))},
			want:         after(10),
		},
		"a task that started is": {
			observations: []Observation{look(0, session("s", 2, 0)), look(10, session("s", 1, 1))},
			want:         after(10),
		},
		"an executor that changed is": {
			observations: []Observation{look(0, session("s", 2, 0), void), look(10, session("s", 2, 0), executor("1", "n", Idle, ""))},
			want:         after(10),
		},
		"an executor that went is": {
			observations: []Observation{look(0, session("s", 2, 0), void), look(10, session("s", 2, 0))},
			want:         after(10),
		},
		"the time before tasks waited does not count": {
			observations: []Observation{look(0, session("s", 0, 0)), look(10, session("s", 0, 0)), look(20, session("s", 1, 0))},
			want:         after(20),
		},
		"nothing waits": {
			observations: []Observation{look(0, session("s", 2, 0)), look(10, session("s", 0, 2))},
		},
		"what waits in a closed session does not": {
			observations: []Observation{look(0, closed(session("s", 2, 0))), look(10, closed(session("s", 2, 0)))},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, follow(test.observations...).StalledSince)
		})
	}
}
