// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/flame"
	"github.com/xflops/flame-operator/internal/flame/flametest"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

func TestFence(t *testing.T) {
	server, client := dial(t, observation.Observation{
		Sessions: []observation.Session{session("s", 3, 1)},
		Executors: []observation.Executor{
			executor("1", "gone", observation.Bound, "s"), executor("2", "gone", observation.Void, ""), executor("3", "other", observation.Bound, "s"),
		},
		Nodes: []observation.Node{node("gone", observation.Unknown), node("other", observation.Ready)},
	})
	server.NoticeLate(200 * time.Millisecond)
	require.NoError(t, client.Fence(t.Context(), "gone"))
	assert.Equal(t, []flametest.Call{
		{Verb: "RegisterNode", Name: "gone", Executors: []string{"1", "2"}},
		{Verb: "WatchNode", Name: "gone"},
	}, server.Calls())
	o, err := client.Observe(t.Context())
	require.NoError(t, err)
	fenced, _ := o.Node("gone")
	assert.True(t, fenced.Fenced(), "it drains, with nothing to give: %+v", fenced)
	assert.Equal(t, node("other", observation.Ready), o.Nodes[1])

	// A ghost that Flame has forgotten, and an executor that names it.
	server.Change(func(o *observation.Observation) { o.Nodes = nil })
	require.NoError(t, client.Fence(t.Context(), "gone"))
	server.GiveUp("gone")
	require.NoError(t, client.Release(t.Context(), "gone"))
	assert.Equal(t, []observation.Executor{executor("3", "other", observation.Bound, "s")}, server.State().Executors)
	assert.Empty(t, server.State().Nodes)
}

func TestReleaseOrphansNothing(t *testing.T) {
	held := []observation.Executor{executor("1", "n", observation.Void, "")}
	tests := map[string]struct {
		state     observation.NodeState
		executors []observation.Executor
		want      error
	}{
		"given up":                     {state: observation.NotReady},
		"it drains":                    {state: observation.Unknown, want: flame.ErrNotGivenUp},
		"it lives":                     {state: observation.Ready, want: flame.ErrNotGivenUp},
		"an executor was put on it":    {state: observation.NotReady, executors: held, want: flame.ErrHoldsExecutors},
		"executors of another node do": {state: observation.NotReady, executors: []observation.Executor{executor("1", "m", observation.Void, "")}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server, client := dial(t, observation.Observation{Nodes: []observation.Node{node("n", test.state)}, Executors: test.executors})
			assert.ErrorIs(t, client.Release(t.Context(), "n"), test.want)
			assert.Equal(t, test.want == nil, len(server.Calls()) == 1)
			require.NoError(t, client.Release(t.Context(), "forgotten"))
		})
	}
}

func TestUnbindOnlyWhatSurelyRunsATask(t *testing.T) {
	tests := map[string]struct {
		sessions  []observation.Session
		executors []observation.Executor
		want      error
	}{
		"it runs a task": {
			sessions: []observation.Session{session("s", 0, 1)}, executors: []observation.Executor{executor("1", "n", observation.Bound, "s")},
		},
		"it waits": {
			sessions: []observation.Session{session("s", 0, 0)}, executors: []observation.Executor{executor("1", "n", observation.Bound, "s")},
			want: flame.ErrMayWait,
		},
		"another of its session may wait instead": {
			sessions:  []observation.Session{session("s", 4, 1)},
			executors: []observation.Executor{executor("1", "n", observation.Bound, "s"), executor("2", "m", observation.Bound, "s")},
			want:      flame.ErrMayWait,
		},
		"it is told already": {
			sessions: []observation.Session{session("s", 0, 1)}, executors: []observation.Executor{executor("1", "n", observation.Unbinding, "s")},
			want: flame.ErrMayWait,
		},
		"it is gone": {want: flame.ErrMayWait},
		"its session is gone": {
			executors: []observation.Executor{executor("1", "n", observation.Bound, "s")}, want: observation.ErrAnswer,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server, client := dial(t, observation.Observation{Sessions: test.sessions, Executors: test.executors})
			assert.ErrorIs(t, client.Unbind(t.Context(), "1"), test.want)
			if test.want == nil {
				assert.Equal(t, []flametest.Call{{Verb: "UnbindExecutor", Name: "1"}}, server.Calls())
			} else {
				assert.Empty(t, server.Calls())
			}
		})
	}
}

func TestFenceSilentLeavesAloneWhatIsConnected(t *testing.T) {
	tests := map[string]struct {
		nodes []observation.Node
		want  error
	}{
		"its stream has ended":      {nodes: []observation.Node{node("n", observation.Unknown)}},
		"it is given up":            {nodes: []observation.Node{node("n", observation.NotReady)}},
		"it is forgotten":           {},
		"it has not answered":       {nodes: []observation.Node{{Name: "n", State: observation.Ready}}},
		"it came back, or answered": {nodes: []observation.Node{node("n", observation.Ready)}, want: flame.ErrConnected},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server, client := dial(t, observation.Observation{Nodes: test.nodes})
			require.ErrorIs(t, client.FenceSilent(t.Context(), "n"), test.want)
			if test.want != nil {
				assert.Empty(t, server.Calls())
				return
			}
			fenced := server.State().Nodes[0]
			assert.True(t, fenced.Fenced(), "%+v", fenced)
		})
	}
}

func TestChallengeTakesNothingButWhatANodeHasToGive(t *testing.T) {
	server, client := dial(t, observation.Observation{
		Nodes:     []observation.Node{node("n", observation.Ready), node("drains", observation.Unknown)},
		Executors: []observation.Executor{executor("1", "n", observation.Bound, "s")},
	})
	require.NoError(t, client.Challenge(t.Context(), "n"))
	assert.Equal(t, []flametest.Call{{Verb: "RegisterNode", Name: "n", Executors: []string{"1"}}}, server.Calls())
	o, err := client.Observe(t.Context())
	require.NoError(t, err)
	challenged, _ := o.Node("n")
	assert.True(t, challenged.Silent(), "%+v", challenged)
	require.ErrorIs(t, client.Challenge(t.Context(), "drains"), flame.ErrNotReady)
	require.ErrorIs(t, client.Challenge(t.Context(), "absent"), flame.ErrNotReady)
}

func TestClearTakesOffWhatRunsNoTask(t *testing.T) {
	sessions := []observation.Session{session("busy", 3, 1), session("waits", 3, 0)}
	server, client := dial(t, observation.Observation{
		Sessions: sessions,
		Executors: []observation.Executor{
			executor("1", "gone", observation.Void, ""), executor("2", "gone", observation.Binding, "busy"),
			executor("3", "gone", observation.Releasing, ""), executor("4", "gone", observation.Unbinding, ""),
			executor("5", "gone", observation.Unbinding, "waits"), executor("6", "gone", observation.Unbinding, "busy"),
			executor("7", "gone", observation.Bound, "busy"), executor("8", "gone", observation.Bound, "waits"),
			executor("9", "other", observation.Void, ""),
		},
		Nodes: []observation.Node{{Name: "gone", State: observation.Unknown}, node("other", observation.Ready)},
	})
	require.NoError(t, client.Clear(t.Context(), "gone"))
	assert.Equal(t, []observation.Executor{
		executor("1", "gone", observation.Idle, ""), executor("4", "gone", observation.Idle, ""), executor("5", "gone", observation.Idle, ""),
		executor("6", "gone", observation.Unbinding, "busy"), executor("7", "gone", observation.Bound, "busy"),
		executor("8", "gone", observation.Bound, "waits"), executor("9", "other", observation.Void, ""),
	}, server.State().Executors)
	before := len(server.Calls())
	require.NoError(t, client.Clear(t.Context(), "gone"), "a second time")
	assert.Len(t, server.Calls(), before, "what is Idle is the scheduler's")
}

func TestClearLeavesAloneWhatIsNotFenced(t *testing.T) {
	for name, nodes := range map[string][]observation.Node{
		"it lives":               {node("n", observation.Ready)},
		"it has not answered":    {{Name: "n", State: observation.Ready}},
		"it drains by itself":    {node("n", observation.Unknown)},
		"it is given up already": {{Name: "n", State: observation.NotReady}},
		"it is forgotten":        {},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := dial(t, observation.Observation{
				Nodes: nodes, Executors: []observation.Executor{executor("1", "n", observation.Void, ""), executor("2", "n", observation.Binding, "s")},
			})
			require.ErrorIs(t, client.Clear(t.Context(), "n"), flame.ErrNotFenced)
			assert.Empty(t, server.Calls())
		})
	}
}

func TestResyncRegistersANodeAsItIs(t *testing.T) {
	server, client := dial(t, observation.Observation{
		Nodes:     []observation.Node{node("n", observation.Ready), node("drains", observation.Unknown)},
		Executors: []observation.Executor{executor("1", "n", observation.Void, ""), executor("2", "n", observation.Bound, "s")},
	})
	require.NoError(t, client.Resync(t.Context(), "n"))
	assert.Equal(t, []flametest.Call{{Verb: "RegisterNode", Name: "n", Allocatable: four, Executors: []string{"1", "2"}}}, server.Calls())
	assert.ErrorIs(t, client.Resync(t.Context(), "drains"), flame.ErrNotReady)
	assert.ErrorIs(t, client.Resync(t.Context(), "absent"), flame.ErrNotReady)
	assert.Len(t, server.Calls(), 1)
}

func TestCordon(t *testing.T) {
	idle := observation.Observation{Nodes: []observation.Node{node("n", observation.Ready)}}
	place := func(s *flametest.Server) {
		s.Change(func(o *observation.Observation) {
			o.Executors = []observation.Executor{executor("1", "n", observation.Void, "")}
		})
	}
	registered := flametest.Call{Verb: "RegisterNode", Name: "n", Allocatable: four, Executors: []string{"1"}}
	tests := map[string]struct {
		state   observation.NodeState
		prepare func(*flametest.Server)
		want    error
		calls   []flametest.Call
	}{
		"an idle node is forgotten, after it gave nothing": {
			state: observation.Ready, calls: []flametest.Call{{Verb: "RegisterNode", Name: "n"}, {Verb: "ReleaseNode", Name: "n"}},
		},
		"one that holds an executor is left alone": {state: observation.Ready, prepare: place, want: flame.ErrHoldsExecutors},
		"so is one that drains":                    {state: observation.Unknown, want: flame.ErrNotReady},
		"one that gets an executor just before it gives nothing is as it was": {
			state: observation.Ready, want: flame.ErrHoldsExecutors,
			prepare: func(s *flametest.Server) {
				s.BeforeCall(func(verb string) {
					if verb == "RegisterNode" {
						place(s)
					}
				})
			},
			calls: []flametest.Call{{Verb: "RegisterNode", Name: "n"}, registered},
		},
		"one that gets an executor while it is forgotten is as it was": {
			state: observation.Ready, want: flame.ErrHoldsExecutors,
			prepare: func(s *flametest.Server) {
				s.BeforeCall(func(verb string) {
					if verb == "ReleaseNode" {
						place(s)
					}
				})
			},
			calls: []flametest.Call{{Verb: "RegisterNode", Name: "n"}, {Verb: "ReleaseNode", Name: "n"}, registered},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			idle.Nodes[0].State = test.state
			server, client := dial(t, idle)
			if test.prepare != nil {
				test.prepare(server)
			}
			assert.ErrorIs(t, client.Cordon(t.Context(), "n"), test.want)
			assert.Equal(t, test.calls, server.Calls())
			o, err := client.Observe(t.Context())
			require.NoError(t, err)
			if test.want == nil {
				assert.Empty(t, o.Nodes)
			} else {
				assert.Equal(t, []observation.Node{node("n", test.state)}, o.Nodes)
			}
		})
	}
}
