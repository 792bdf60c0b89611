// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package autoscale_test

import (
	"fmt"
	"time"

	"github.com/xflops/flame-operator/internal/autoscale"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

const gi = int64(1) << 30

// base is an input for executor managers of one CPU under policy priority, on hosts
// of 64 GiB, with nothing to do.
func base(change func(*autoscale.Input)) autoscale.Input {
	in := autoscale.Input{
		Observation: &observation.Observation{Nodes: []observation.Node{node("elsewhere", observation.Resources{CPU: 1, Memory: 64 * gi})}},
		Flame: autoscale.Flame{
			Policy: autoscale.Priority, Gang: true,
			Slot: observation.Resources{CPU: 1, Memory: gi}, Shape: observation.Resources{CPU: 1},
		},
		Bounds:   autoscale.Bounds{Max: 100, Delay: 2 * time.Minute},
		Previous: &autoscale.Memory{},
		Now:      noon,
	}
	if change != nil {
		change(&in)
	}
	return in
}

// with is base with sessions.
func with(sessions ...observation.Session) autoscale.Input {
	return base(func(in *autoscale.Input) { in.Observation.Sessions = sessions })
}

// tasks is a session with tasks.
func tasks(id string, pending, running int, changes ...func(*observation.Session)) observation.Session {
	s := observation.Session{ID: id, Open: true, CreatedAt: noon, Pending: pending, Running: running}
	for _, change := range changes {
		change(&s)
	}
	return s
}

func priority(p int) func(*observation.Session) {
	return func(s *observation.Session) { s.Priority = p }
}
func atMost(n int) func(*observation.Session) {
	return func(s *observation.Session) { s.MaxInstances = &n }
}
func atLeast(n int) func(*observation.Session) {
	return func(s *observation.Session) { s.MinInstances = n }
}
func batches(n int) func(*observation.Session) {
	return func(s *observation.Session) { s.BatchSize = n }
}
func blocked(s *observation.Session) { s.BlockedAt = noon }
func closed(s *observation.Session)  { s.Open = false }
func of(r observation.Resources) func(*observation.Session) {
	return func(s *observation.Session) { s.Resreq = &r }
}

// pods adds ready executor managers, each with executors of the named sessions.
func pods(in autoscale.Input, executors ...[]string) autoscale.Input {
	for _, held := range executors {
		name := fmt.Sprintf("pod-%03d", len(in.Pods))
		in.Pods = append(in.Pods, podstate.Pod{Name: name, Ready: true})
		in.Observation.Nodes = append(in.Observation.Nodes, node(name, observation.Resources{CPU: in.Flame.Shape.CPU, Memory: 64 * gi}))
		for _, session := range held {
			in.Observation.Executors = append(in.Observation.Executors, bound(name, session, sizeOf(in, session)))
		}
	}
	return in
}

func sizeOf(in autoscale.Input, session string) observation.Resources {
	for _, s := range in.Observation.Sessions {
		if s.ID == session && s.Resreq != nil {
			return *s.Resreq
		}
	}
	return in.Flame.Slot
}

// bound is an executor that serves a session, or an idle one if that is empty.
func bound(node, session string, size observation.Resources) observation.Executor {
	e := observation.Executor{Node: node, State: observation.Bound, Session: session, Resreq: size}
	if session == "" {
		e.State = observation.Idle
	}
	return e
}

// node is one of which all is allocatable.
func node(name string, room observation.Resources) observation.Node {
	return observation.Node{Name: name, State: observation.Ready, Capacity: room, Allocatable: room}
}

// edit changes an input.
func edit(in autoscale.Input, changes ...func(*autoscale.Input)) autoscale.Input {
	for _, change := range changes {
		change(&in)
	}
	return in
}

func cpus(n int64) func(*autoscale.Input) {
	return func(in *autoscale.Input) { in.Flame.Shape.CPU = n }
}

func drf(in *autoscale.Input)   { in.Flame.Policy = autoscale.DRF }
func later(in *autoscale.Input) { in.Flame.Gang = false }

// restarted is a session manager that started after whatever else has happened.
func restarted(in *autoscale.Input) { in.Flame.Started = noon.Add(time.Second) }

// listed has every node list the same as allocatable.
func listed(room observation.Resources) func(*autoscale.Input) {
	return func(in *autoscale.Input) {
		for i := range in.Observation.Nodes {
			in.Observation.Nodes[i].Allocatable = room
		}
	}
}

// as has the executors be in some states, one after the other.
func as(states ...observation.ExecutorState) func(*autoscale.Input) {
	return func(in *autoscale.Input) {
		for i, state := range states {
			in.Observation.Executors[i].State = state
		}
	}
}

func bounds(least, most int) func(*autoscale.Input) {
	return func(in *autoscale.Input) { in.Bounds.Min, in.Bounds.Max = least, most }
}
