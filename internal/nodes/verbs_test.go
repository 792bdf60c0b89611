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
	w.drain(name)
}

func (w *world) fenceSilent(name string) {
	n, p := w.flame.nodes[name], w.processes[name]
	if n != nil && n.state == observation.Ready && n.room > 0 {
		return
	}
	require.False(w.t, n != nil && n.connected, "seed %d, %s: fences %q, whose process is connected", w.seed, w.now, name)
	require.Nil(w.t, w.pods[name], "seed %d, %s: fences %q, which has a pod", w.seed, w.now, name)
	if p != nil && p.alive {
		w.did["fence of one that lives"]++
	}
	w.drain(name)
}

func (w *world) drain(name string) {
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

func (w *world) clear(name string) {
	n, p := w.flame.nodes[name], w.processes[name]
	if n == nil || n.state != observation.Unknown || n.room > 0 {
		return
	}
	require.False(w.t, p != nil && p.alive, "seed %d, %s: clears %q, whose process lives", w.seed, w.now, name)
	for _, e := range w.flame.on(name) {
		switch {
		case e.state == observation.Void, e.state == observation.Unbinding && w.flame.count(e.session, started) == 0:
			e.state, e.session = observation.Idle, ""
		case e.state == observation.Binding, e.state == observation.Releasing:
			delete(w.flame.executors, e.id)
		default:
			continue
		}
		require.Nil(w.t, e.task, "seed %d, %s: takes %q off, which runs a task", w.seed, w.now, e.id)
		w.did["clear"]++
	}
}

func (w *world) challenge(name string) {
	if n := w.flame.nodes[name]; n != nil && n.state == observation.Ready {
		w.did["challenge"]++
		n.room = 0
		w.latest = w.latest.Challenged(name, w.now.Add(time.Millisecond))
	}
}

func (w *world) release(name string) {
	if n := w.flame.nodes[name]; n != nil && n.state == observation.NotReady && len(w.flame.on(name)) == 0 {
		require.False(w.t, n.connected, "seed %d, %s: releases %q, whose process is connected", w.seed, w.now, name)
		w.did["release"]++
		delete(w.flame.nodes, name)
	}
}

func (w *world) cordon(name string) {
	if n := w.flame.nodes[name]; n != nil && n.state == observation.Ready && len(w.flame.on(name)) == 0 {
		w.did["cordon"]++
		delete(w.flame.nodes, name)
	}
}

func (w *world) resync(name string) {
	w.latest = w.latest.Resynced(name, w.now.Add(time.Millisecond))
	n, on := w.flame.nodes[name], w.flame.on(name)
	if n == nil || n.state != observation.Ready || len(on) == 0 {
		return
	}
	w.did["resync"]++
	for _, e := range on {
		if e.state == observation.Void {
			w.resynced[e.id]++
			require.LessOrEqual(w.t, w.resynced[e.id], 3, "seed %d, %s: sends %q over and over", w.seed, w.now, e.id)
			e.unheard = e.unheard && w.random.IntN(4) == 0
		}
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
