// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes_test

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/test/flamemodel"
)

// The verbs do what internal/flame does: they look first, and refuse what would
// lose work. What they have no way to see is checked here.

func (w *world) fence(name string) {
	p := w.processes[name]
	require.False(w.t, p != nil && p.alive, "seed %d, %s: fences %q, whose process lives", w.seed, w.now, name)
	w.drain(name)
}

func (w *world) fenceSilent(name string) {
	n, p := w.flame.Nodes[name], w.processes[name]
	if n != nil && n.State == observation.Ready && n.Room > 0 {
		return
	}
	require.False(w.t, w.flame.Connected(name), "seed %d, %s: fences %q, whose process is connected", w.seed, w.now, name)
	require.Nil(w.t, w.pods[name], "seed %d, %s: fences %q, which has a pod", w.seed, w.now, name)
	if p != nil && p.alive {
		w.did["fence of one that lives"]++
	}
	w.drain(name)
}

func (w *world) drain(name string) {
	n := w.flame.Nodes[name]
	if n != nil && n.Room == 0 && n.State == observation.Unknown && !n.GivenUpAt.IsZero() {
		// Only an operator that has forgotten it may do so, and it waits first.
		require.GreaterOrEqual(w.t, w.now.Sub(w.fenced[name]).Seconds(), 30.0, "seed %d, %s: fences %q again", w.seed, w.now, name)
	}
	w.did["fence"]++
	w.fenced[name] = w.now
	w.flame.Register(name, 0)
	w.flame.Fence(name)
	w.latest = w.latest.Fenced(name, w.now.Add(time.Millisecond)) // It was observed before.
}

func (w *world) clear(name string) {
	n, p := w.flame.Nodes[name], w.processes[name]
	if n == nil || n.State != observation.Unknown || n.Room > 0 {
		return
	}
	require.False(w.t, p != nil && p.alive, "seed %d, %s: clears %q, whose process lives", w.seed, w.now, name)
	for _, e := range w.flame.On(name) {
		switch {
		case e.State == observation.Void, e.State == observation.Unbinding && w.flame.Count(e.Session, flamemodel.Running) == 0:
			e.State, e.Session = observation.Idle, ""
		case e.State == observation.Binding, e.State == observation.Releasing:
			delete(w.flame.Executors, e.ID)
		default:
			continue
		}
		require.Nil(w.t, e.Task, "seed %d, %s: takes %q off, which runs a task", w.seed, w.now, e.ID)
		w.did["clear"]++
	}
}

func (w *world) challenge(name string) {
	if n := w.flame.Nodes[name]; n != nil && n.State == observation.Ready {
		w.did["challenge"]++
		w.flame.Register(name, 0)
		w.latest = w.latest.Challenged(name, w.now.Add(time.Millisecond))
	}
}

func (w *world) release(name string) {
	if n := w.flame.Nodes[name]; n != nil && n.State == observation.NotReady && len(w.flame.On(name)) == 0 {
		require.False(w.t, w.flame.Connected(name), "seed %d, %s: releases %q, whose process is connected", w.seed, w.now, name)
		w.did["release"]++
		w.flame.Release(name)
	}
}

func (w *world) cordon(name string) {
	if n := w.flame.Nodes[name]; n != nil && n.State == observation.Ready && len(w.flame.On(name)) == 0 {
		w.did["cordon"]++
		w.flame.Release(name)
	}
}

func (w *world) resync(name string) {
	w.latest = w.latest.Resynced(name, w.now.Add(time.Millisecond))
	n, on := w.flame.Nodes[name], w.flame.On(name)
	if n == nil || n.State != observation.Ready || len(on) == 0 {
		return
	}
	w.did["resync"]++
	for _, e := range on {
		if e.State == observation.Void {
			w.resynced[e.ID]++
			require.LessOrEqual(w.t, w.resynced[e.ID], 3, "seed %d, %s: sends %q over and over", w.seed, w.now, e.ID)
		}
	}
	w.flame.Register(name, n.Room)
}

func (w *world) unbind(id string) {
	e := w.flame.Executors[id]
	if e == nil || w.flame.List().Work()[id] != observation.RunsTask {
		return
	}
	p := w.processes[e.Node]
	require.NotNil(w.t, e.Task, "seed %d, %s: unbinds %q, which waits", w.seed, w.now, id)
	require.True(w.t, p.draining || w.dark(p) || !p.alive, "seed %d, %s: unbinds %q of a pod that is to stay", w.seed, w.now, id)
	w.did["unbind"]++
	e.State = observation.Unbinding
}
