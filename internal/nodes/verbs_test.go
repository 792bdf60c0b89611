// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes_test

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

// The verbs do what internal/flame does: they look first, and refuse what would
// lose work. What they have no way to see is checked here.

func (w *world) fence(name string) {
	p := w.processes[name]
	require.False(w.t, p != nil && p.alive, "seed %d, %s: fences %q, whose process lives", w.seed, w.now, name)
	n := w.flame.nodes[name]
	if n != nil && n.room == 0 && n.state == observation.Unknown && !n.givenUpAt.IsZero() {
		// Only an operator that has forgotten it may do so, and it waits first.
		require.GreaterOrEqual(w.t, w.now.Sub(w.fenced[name]).Seconds(), 30.0, "seed %d, %s: fences %q again", w.seed, w.now, name)
	}
	w.did["fence"]++
	w.fenced[name] = w.now
	w.flame.nodes[name] = &flameNode{state: observation.Unknown, givenUpAt: w.now.Add(flameDrain)}
	w.latest = w.latest.Fenced(name, w.now.Add(time.Millisecond)) // It was observed before.
}

func (w *world) release(name string) {
	if n := w.flame.nodes[name]; n != nil && n.state == observation.NotReady && w.flame.on(name) == nil {
		p := w.processes[name]
		require.False(w.t, p != nil && p.alive, "seed %d, %s: releases %q, whose process lives", w.seed, w.now, name)
		w.did["release"]++
		delete(w.flame.nodes, name)
	}
}

func (w *world) cordon(name string) {
	if n := w.flame.nodes[name]; n != nil && n.state == observation.Ready && w.flame.on(name) == nil {
		w.did["cordon"]++
		delete(w.flame.nodes, name)
	}
}

func (w *world) resync(name string) {
	n, e := w.flame.nodes[name], w.flame.on(name)
	if n != nil && n.state == observation.Ready && e != nil {
		w.did["resync"]++
		e.unheard = w.random.IntN(4) == 0
	}
}

func (w *world) unbind(id string) {
	e := w.flame.executors[id]
	if e == nil || w.flame.list(w.now).Work()[id] != observation.RunsTask {
		return
	}
	p := w.processes[e.node]
	require.NotNil(w.t, e.task, "seed %d, %s: unbinds %q, which waits", w.seed, w.now, id)
	require.True(w.t, p.draining || w.dark(p) || !p.alive, "seed %d, %s: unbinds %q of a pod that is to stay", w.seed, w.now, id)
	w.did["unbind"]++
	e.state = observation.Unbinding
}
