// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package observation

import (
	"maps"
	"time"
)

// SettledIdle is how many observations in a row have to show a node without an executor for
// the node to be idle. A single observation may have looked between two executors.
const SettledIdle = 2

// Track remembers since when nodes and executors have been as they are. Whatever is first
// seen has the time of an observation, which is late by one interval at most. A Track that
// begins anew, as with each start of the operator, begins with the first observation. A
// Track is never changed, only replaced.
type Track struct {
	// Nodes are by name: the listed ones, and those that only an executor names.
	Nodes map[string]NodeTrack
	// Executors are by ID.
	Executors map[string]ExecutorTrack
	// Sessions are the open ones, by ID.
	Sessions map[string]SessionTrack
	// StalledSince is since when tasks of open sessions have waited while none started or
	// ended and no executor changed, and zero while work goes on or no task waits. A
	// scheduler that is dead looks like this; so does a cluster whose executors all run
	// long tasks, or one without any.
	StalledSince time.Time

	// tally counts what moves when tasks start and end.
	tally tally
}

type tally struct{ running, ended int }

// NodeTrack is what is remembered of a node.
type NodeTrack struct {
	State NodeState
	// Since is when the node was first seen in its state.
	Since time.Time
	// FencedSince is when the node was fenced, or first seen Unknown with nothing to give.
	// A session manager that started later has forgotten the fence, and never ends the
	// drain of the node.
	FencedSince time.Time
	// ChallengedAt is when the node was challenged last, and SilentSince is when it was
	// first seen Ready with nothing to give. A process that is connected says every 5 s
	// what it has.
	ChallengedAt, SilentSince time.Time
	// Resyncs is how often the node was registered again for the Void executors that it
	// holds, and ResyncedAt is when it was last.
	Resyncs    int
	ResyncedAt time.Time
	// IdleSince is when the node was first seen without an executor of any state, and Idle
	// is in how many observations in a row it was, counted to SettledIdle.
	IdleSince time.Time
	Idle      int
}

// ExecutorTrack is what is remembered of an executor.
type ExecutorTrack struct {
	State   ExecutorState
	Session string
	// Since is when the executor was first seen in its state, for its session.
	Since time.Time
}

// Next returns what is remembered after one more observation.
func Next(previous Track, o Observation) Track {
	next := Track{
		Nodes:     make(map[string]NodeTrack, len(o.Nodes)),
		Executors: make(map[string]ExecutorTrack, len(o.Executors)),
		tally:     count(o),
	}
	holds, void := map[string]bool{}, map[string]bool{}
	for _, e := range o.Executors {
		holds[e.Node] = true
		void[e.Node] = void[e.Node] || e.State == Void
		next.Executors[e.ID] = previous.Executors[e.ID].next(e, o.At)
	}
	for _, n := range o.Nodes {
		next.Nodes[n.Name] = previous.Nodes[n.Name].next(n, holds[n.Name], void[n.Name], o.At)
	}
	for name := range holds {
		if _, listed := next.Nodes[name]; !listed {
			next.Nodes[name] = previous.Nodes[name].next(Node{Name: name, State: Absent}, true, void[name], o.At)
		}
	}
	next.Sessions = trackSessions(previous, next, o)
	if waits(o) {
		next.StalledSince = o.At
		if !previous.StalledSince.IsZero() && next.tally == previous.tally && maps.Equal(next.Executors, previous.Executors) {
			next.StalledSince = previous.StalledSince
		}
	}
	return next
}

// Fenced returns what is remembered after a node was fenced at a time. A second
// fence looks like the first in an observation, and starts its 30 s again.
func (t Track) Fenced(node string, at time.Time) Track {
	return t.with(node, func(n *NodeTrack) { n.FencedSince = at })
}

// Challenged returns what is remembered after a node was challenged at a time.
func (t Track) Challenged(node string, at time.Time) Track {
	return t.with(node, func(n *NodeTrack) { n.ChallengedAt = at })
}

// Resynced returns what is remembered after a try at a time to register a node again,
// whatever came of it.
func (t Track) Resynced(node string, at time.Time) Track {
	return t.with(node, func(n *NodeTrack) { n.Resyncs, n.ResyncedAt = n.Resyncs+1, at })
}

func (t Track) with(node string, change func(*NodeTrack)) Track {
	nodes := maps.Clone(t.Nodes)
	if nodes == nil {
		nodes = map[string]NodeTrack{}
	}
	track := nodes[node]
	change(&track)
	nodes[node] = track
	t.Nodes = nodes
	return t
}

func (t NodeTrack) next(n Node, holds, void bool, at time.Time) NodeTrack {
	next := NodeTrack{State: n.State, Since: at, ChallengedAt: t.ChallengedAt}
	if t.State == n.State {
		next.Since = t.Since
	}
	switch {
	case t.FencedSince.After(at): // Its fence is not in this observation yet.
		next.FencedSince = t.FencedSince
	case n.Fenced() && t.FencedSince.IsZero():
		next.FencedSince = at
	case n.Fenced():
		next.FencedSince = t.FencedSince
	}
	if n.Silent() {
		next.SilentSince = at
		if !t.SilentSince.IsZero() {
			next.SilentSince = t.SilentSince
		}
	}
	if void {
		next.Resyncs, next.ResyncedAt = t.Resyncs, t.ResyncedAt
	}
	if !holds {
		next.IdleSince, next.Idle = at, 1
		if t.Idle > 0 {
			next.IdleSince, next.Idle = t.IdleSince, min(t.Idle+1, SettledIdle)
		}
	}
	return next
}

func (t ExecutorTrack) next(e Executor, at time.Time) ExecutorTrack {
	if t.State == e.State && t.Session == e.Session {
		return t
	}
	return ExecutorTrack{State: e.State, Session: e.Session, Since: at}
}

// waits reports whether a task of an open session is pending.
func waits(o Observation) bool {
	for _, s := range o.Sessions {
		if s.Open && s.Pending > 0 {
			return true
		}
	}
	return false
}

// count sums up running and ended tasks. A task that only came changes neither sum.
func count(o Observation) tally {
	t := tally{ended: o.Ended}
	for _, s := range o.Sessions {
		t.running += s.Running
		t.ended += s.Ended()
	}
	return t
}
