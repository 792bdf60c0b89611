// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package observation

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWork(t *testing.T) {
	tests := map[string]struct {
		sessions  []Session
		executors []Executor
		want      map[string]Work
	}{
		"as many tasks run as there are Bound executors: each runs one": {
			sessions:  []Session{session("s", 0, 2)},
			executors: []Executor{executor("a", "n", Bound, "s"), executor("b", "m", Bound, "s")},
			want:      map[string]Work{"a": RunsTask, "b": RunsTask},
		},
		"fewer tasks run: nobody knows which executor waits": {
			sessions:  []Session{session("s", 0, 1)},
			executors: []Executor{executor("a", "n", Bound, "s"), executor("b", "m", Bound, "s")},
			want:      map[string]Work{"a": MayWait, "b": MayWait},
		},
		"pending tasks do not prove that none waits": {
			sessions:  []Session{session("s", 5, 1)},
			executors: []Executor{executor("a", "n", Bound, "s"), executor("b", "m", Bound, "s")},
			want:      map[string]Work{"a": MayWait, "b": MayWait},
		},
		"a task that ends in Unbinding is not taken for one of a Bound executor": {
			sessions:  []Session{session("s", 0, 1)},
			executors: []Executor{executor("a", "n", Unbinding, "s"), executor("b", "m", Bound, "s")},
			want:      map[string]Work{"a": LeavesSession, "b": MayWait},
		},
		"with it counted, the Bound one runs a task too": {
			sessions:  []Session{session("s", 0, 2)},
			executors: []Executor{executor("a", "n", Unbinding, "s"), executor("b", "m", Bound, "s")},
			want:      map[string]Work{"a": LeavesSession, "b": RunsTask},
		},
		"more tasks than executors: one is counted whose executor is gone": {
			sessions:  []Session{session("s", 0, 2)},
			executors: []Executor{executor("a", "n", Bound, "s")},
			want:      map[string]Work{"a": MayWait},
		},
		"sessions are judged one by one": {
			sessions:  []Session{session("s", 0, 1), session("t", 0, 0)},
			executors: []Executor{executor("a", "n", Bound, "s"), executor("b", "m", Bound, "t")},
			want:      map[string]Work{"a": RunsTask, "b": MayWait},
		},
		"a session that is not listed proves nothing": {
			executors: []Executor{executor("a", "n", Bound, "s")},
			want:      map[string]Work{"a": MayWait},
		},
		"those that serve nobody, or not yet, have no task": {
			sessions: []Session{session("s", 3, 0)},
			executors: []Executor{
				executor("a", "n", Void, ""), executor("b", "n", Idle, ""), executor("c", "n", Binding, "s"), executor("d", "n", Releasing, ""),
			},
			want: map[string]Work{"a": NoTask, "b": NoTask, "c": NoTask, "d": NoTask},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, Observation{Sessions: test.sessions, Executors: test.executors}.Work())
		})
	}
}

func TestLoadCountsNothingThatWaitsInAClosedSession(t *testing.T) {
	o := Observation{Sessions: []Session{session("s", 4, 2), closed(session("t", 5, 1))}}
	assert.Equal(t, Load{OpenSessions: 1, PendingTasks: 4, RunningTasks: 3}, o.Load())
}

func TestNodesAndExecutorsAreFoundByName(t *testing.T) {
	o := at(0, []Node{node("a", Ready), node("b", Unknown)}, executor("1", "b", Bound, "s"), executor("2", "gone", Void, ""), executor("3", "b", Void, ""))
	found, listed := o.Node("b")
	assert.True(t, listed)
	assert.Equal(t, node("b", Unknown), found)
	_, listed = o.Node("gone")
	assert.False(t, listed)
	assert.Equal(t, map[string][]Executor{"b": {o.Executors[0], o.Executors[2]}, "gone": {o.Executors[1]}}, o.ExecutorsByNode())
}

func TestSessionIsBlockedUntilTheSessionManagerStartsAnew(t *testing.T) {
	s := session("s", 1, 0)
	assert.False(t, s.Blocked(noon))
	s.BlockedAt = after(10)
	assert.True(t, s.Blocked(noon))
	assert.False(t, s.Blocked(after(11)))
}
