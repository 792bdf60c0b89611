// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package flamemodel has the rules of Flame's session manager that make operating
// it hard, as a state machine in the time of a test: executors are put on whatever
// node has room, dead or alive, one that no process takes stands in the way of
// others, and a session manager that is started anew knows of no streams.
//
// It is what a world of a test steps, which has the executor managers itself, and
// does what an operator asks for. What one differs in from another is its World.
// It must not be kinder than Flame.
package flamemodel

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

const (
	// Drain is how long Flame waits for a node to come back.
	Drain = 30 * time.Second
	// Release is how long an executor waits for its session's next task. It is a
	// minute by default.
	Release = 20 * time.Second
	// Heartbeat is how often a node says what it has.
	Heartbeat = 5 * time.Second
)

// World is what the rules ask about what is around a session manager.
type World interface {
	Now() time.Time
	// Acts says whether the process of a node with a stream does its part now.
	Acts(node string) bool
	// Drains says whether the preStop hook of a node's process runs: an instance
	// that starts then gets no socket.
	Drains(node string) bool
	// Loses says whether the message is lost that would have a node take an
	// executor: the first, or again.
	Loses(again bool) bool
	// Picks returns one of so many, from 0.
	Picks(of int) int
}

// Flame is a session manager, and what of it is in its executor managers.
type Flame struct {
	// Up says that its process runs. What it knows outlives that.
	Up        bool
	Nodes     map[string]*Node
	Executors map[string]*Executor
	Tasks     []*Task
	// Next is when something is due that is not yet, and zero if nothing is.
	Next time.Time

	world World
	// room is how many executors fit on an executor manager.
	room     int64
	sessions []string
	named    int
	// streams are the nodes that processes are connected as. instances are the
	// nodes on which an application's process runs, by its executor.
	streams   map[string]bool
	instances map[string]string
}

// Node is what Flame knows of a node.
type Node struct {
	State observation.NodeState
	Room  int64
	// GivenUpAt is when its drain is over. A session manager that is started anew
	// knows of none.
	GivenUpAt time.Time
	// Fenced says that an operator has let it drain.
	Fenced bool
	// beatAt is when its process says what it has, if somebody else has said that
	// it has nothing.
	beatAt time.Time
}

// Executor is one that Flame lists, with what it does not tell.
type Executor struct {
	observation.Executor
	Task *Task
	// Unheard says that the message that would have its node take it was lost.
	Unheard bool
	waits   time.Time
}

// New is a session manager that is not up yet, with sessions and without nodes.
func New(world World, room int64, sessions ...string) *Flame {
	return &Flame{
		world: world, room: room, sessions: sessions, Nodes: map[string]*Node{}, Executors: map[string]*Executor{},
		streams: map[string]bool{}, instances: map[string]string{},
	}
}

// Stop ends the session manager: the tasks that run are run again, and all
// streams end.
func (f *Flame) Stop() {
	f.Up = false
	clear(f.streams)
	for _, e := range f.Executors {
		e.giveBack()
		if e.State == observation.Binding {
			e.State, e.Session = observation.Idle, ""
		}
	}
	for _, n := range f.Nodes {
		n.GivenUpAt, n.Fenced = time.Time{}, false
	}
}

// Forget is the loss of what outlives a session manager.
func (f *Flame) Forget() {
	clear(f.Nodes)
	clear(f.Executors)
	for _, t := range f.Tasks {
		if t.State != Succeeded {
			t.State = Dropped
		}
	}
}

// Connect is what the stream of a node's process begins with.
func (f *Flame) Connect(node string) {
	f.streams[node] = true
	delete(f.Nodes, node)
	f.Register(node, f.room)
}

// Connected says whether a node's process has a stream.
func (f *Flame) Connected(node string) bool { return f.streams[node] }

// Disconnect is the end of that stream.
func (f *Flame) Disconnect(node string) {
	if f.streams[node] {
		delete(f.streams, node)
		f.drain(node)
	}
}

// End is the end of a node's process.
func (f *Flame) End(node string) {
	f.Disconnect(node)
	maps.DeleteFunc(f.instances, func(_, on string) bool { return on == node })
}

// Register says what a node has, whoever does: it is Ready, not drained any more,
// and sent all its executors.
func (f *Flame) Register(node string, room int64) {
	n := &Node{State: observation.Ready, Room: room}
	if known := f.Nodes[node]; known != nil {
		n.Fenced = known.Fenced
	}
	if room == 0 {
		n.beatAt = f.world.Now().Add(Heartbeat)
	}
	f.Nodes[node] = n
	for _, e := range f.On(node) {
		e.Unheard = e.Unheard && f.world.Loses(true)
	}
}

// Fence is the end of a node's stream that an operator has opened.
func (f *Flame) Fence(node string) {
	if f.drain(node); f.Nodes[node] != nil {
		f.Nodes[node].Fenced = true
	}
}

func (f *Flame) drain(node string) {
	if n := f.Nodes[node]; n != nil {
		n.State, n.GivenUpAt = observation.Unknown, f.world.Now().Add(Drain)
	}
}

// Release forgets a node, with its drain, but not its executors nor its stream.
func (f *Flame) Release(node string) { delete(f.Nodes, node) }

// On returns the executors on a node, by their IDs.
func (f *Flame) On(node string) (on []*Executor) {
	for _, id := range slices.Sorted(maps.Keys(f.Executors)) {
		if e := f.Executors[id]; e.Node == node {
			on = append(on, e)
		}
	}
	return on
}

// Serves says whether an instance runs on a node.
func (f *Flame) Serves(node string) bool {
	for _, on := range f.instances {
		if on == node {
			return true
		}
	}
	return false
}

// List is what an operator gets to see.
func (f *Flame) List() observation.Observation {
	each := observation.Resources{CPU: 1, Memory: 1 << 30}
	o := observation.Observation{At: f.world.Now()}
	for _, id := range f.sessions {
		o.Sessions = append(o.Sessions, observation.Session{
			ID: id, Open: true, BatchSize: 1, Resreq: &each,
			Pending: f.Count(id, Pending), Running: f.Count(id, Running), Succeeded: f.Count(id, Succeeded),
		})
	}
	for _, id := range slices.Sorted(maps.Keys(f.Executors)) {
		e := f.Executors[id].Executor
		e.Resreq = each
		o.Executors = append(o.Executors, e)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Nodes)) {
		n := f.Nodes[name]
		has := observation.Resources{CPU: n.Room * each.CPU, Memory: n.Room * each.Memory}
		o.Nodes = append(o.Nodes, observation.Node{Name: name, State: n.State, Capacity: has, Allocatable: has})
	}
	return o
}

// newExecutor makes one that its node has not taken yet.
func (f *Flame) newExecutor(node string) {
	f.named++
	id := fmt.Sprintf("executor-%05d", f.named)
	f.Executors[id] = &Executor{
		Executor: observation.Executor{ID: id, Node: node, State: observation.Void}, Unheard: f.world.Loses(false),
	}
}
