// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/xflops/flame-operator/internal/flame"
	"github.com/xflops/flame-operator/internal/flame/action"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// fakeFlame is a session manager that knows every executor manager that is ready
// as a node, until it is told otherwise.
type fakeFlame struct {
	h *harness

	mu sync.Mutex
	// silent keeps Flame from saying anything, and err is why Flame says no more.
	silent bool
	err    error
	// cordoned nodes are not listed. ghosts are listed although they have no pod.
	cordoned map[string]bool
	ghosts   []observation.Node
	// states are the states of the nodes that are not Ready.
	states    map[string]observation.NodeState
	sessions  []observation.Session
	executors []observation.Executor
	// lost are the tasks that sessions have lost, and lostAt is the time at which Flame
	// said so.
	lost   map[string][]int64
	lostAt time.Time
	// quiet is how long ago Flame was first asked.
	quiet time.Duration
	// takes is how long each call takes.
	takes time.Duration
	// calls are the actions that Flame was asked for.
	calls []string
}

func newFakeFlame(h *harness) *fakeFlame {
	return &fakeFlame{h: h, cordoned: map[string]bool{}, states: map[string]observation.NodeState{}}
}

func (f *fakeFlame) Ensure(types.NamespacedName, flame.Target) error { return nil }

func (f *fakeFlame) Forget(types.NamespacedName) {}

func (f *fakeFlame) Wake(types.NamespacedName) {}

func (f *fakeFlame) SetInterval(types.NamespacedName, time.Duration) {}

// Latest returns what two observations in a row showed, and two answers about lost tasks.
func (f *fakeFlame) Latest(name types.NamespacedName) observation.Latest {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.silent {
		return observation.Latest{}
	}
	o := observation.Observation{At: f.h.now.Add(time.Second), Sessions: f.sessions, Executors: f.executors}
	for _, pod := range f.h.executors() {
		if isReady(&pod) && pod.DeletionTimestamp == nil && !f.cordoned[pod.Name] && strings.HasPrefix(pod.Name, name.Name) {
			o.Nodes = append(o.Nodes, f.node(pod.Name))
		}
	}
	o.Nodes = append(o.Nodes, f.ghosts...)
	slices.SortFunc(o.Nodes, func(a, b observation.Node) int { return strings.Compare(a.Name, b.Name) })
	var answers []observation.Answer
	for session, tasks := range f.lost {
		answers = append(answers, observation.Answer{Session: session, At: f.lostAt, Tasks: tasks})
	}
	first := o
	first.At = o.At.Add(-f.quiet)
	latest := observation.Latest{}.Seen(first).Seen(o).Told(answers).Told(answers)
	if f.err != nil {
		latest = latest.Failed(f.err, f.h.now)
	}
	return latest
}

func (f *fakeFlame) node(name string) observation.Node {
	one := observation.Resources{CPU: 1, Memory: 1 << 34}
	node := observation.Node{Name: name, State: observation.Ready, Capacity: one, Allocatable: one}
	if state, ok := f.states[name]; ok {
		node.State = state
	}
	return node
}

func (f *fakeFlame) note(verb, object string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, verb+" "+object)
	f.h.now = f.h.now.Add(f.takes)
	return nil
}

// asked returns the actions that Flame was asked for since the last call.
func (f *fakeFlame) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

// Do notes the action, in the words of the tests.
func (f *fakeFlame) Do(ctx context.Context, _ types.NamespacedName, a action.Action) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	words := map[action.Verb]string{action.FenceSilent: "fence silent"}
	f.mu.Lock()
	f.cordoned[a.Target] = f.cordoned[a.Target] || a.Verb == action.Cordon
	f.mu.Unlock()
	return f.note(cmp.Or(words[a.Verb], strings.ToLower(string(a.Verb))), a.Target)
}
