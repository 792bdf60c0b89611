// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

const (
	// flameDrain is how long Flame waits for a node to come back, flameRelease how
	// long an executor waits for a task. The latter is a minute by default.
	flameDrain, flameRelease = 30 * time.Second, 20 * time.Second
)

// flame is a session manager with the rules that make operating it hard.
type flame struct {
	// room is how many executors fit on an executor manager.
	room      int64
	up        bool
	startedAt time.Time
	upAt      time.Time
	// stateSince is when it last began with no memory, and refused says that it
	// swallowed nobody's connection when it went away last.
	stateSince time.Time
	refused    bool

	nodes     map[string]*flameNode
	executors map[string]*flameExecutor
	tasks     []*task
	named     int
}

type flameNode struct {
	state observation.NodeState
	room  int64
	// connected says that a stream stands. givenUpAt is when its drain is over. A
	// session manager that is started anew knows neither.
	connected bool
	givenUpAt time.Time
}

type flameExecutor struct {
	id, node, session string
	state             observation.ExecutorState
	task              *task
	waits             time.Time
	// unheard says that the message that would have its node take it was lost.
	unheard bool
}

type task struct {
	session, state string
	length, left   int
	// runs counts how often it was started, excused how often something other than
	// the operator has ended it before its time.
	runs, excused int
	startedAt     time.Time
}

const (
	pending = "Pending"
	started = "Running"
	done    = "Done"
	dropped = "Dropped"
)

func newFlame(now time.Time, room int64) *flame {
	return &flame{room: room, up: true, refused: true, startedAt: now, nodes: map[string]*flameNode{}, executors: map[string]*flameExecutor{}}
}

func (f *flame) submit(session string, length int) {
	f.tasks = append(f.tasks, &task{session: session, state: pending, length: length})
}

// stop ends the process: the tasks that run are run again, and all streams end.
func (f *flame) stop(until time.Time, memory bool) {
	f.up, f.upAt, f.refused = false, until, true
	for _, e := range f.executors {
		f.giveBack(e)
		if e.state == observation.Binding {
			e.state, e.session = observation.Idle, ""
		}
	}
	for _, n := range f.nodes {
		n.connected, n.givenUpAt = false, time.Time{}
	}
	if memory {
		return
	}
	f.stateSince = until
	clear(f.nodes)
	clear(f.executors)
	for _, t := range f.tasks {
		if t.state != done {
			t.state = dropped
		}
	}
}

func (f *flame) giveBack(e *flameExecutor) {
	if e.task != nil {
		e.task.state = pending
		e.task.excused++
		e.task = nil
	}
}

// register is what a connection begins with: all executors are sent again.
func (f *flame) register(name string) {
	for _, e := range f.on(name) {
		e.unheard = false
	}
	f.nodes[name] = &flameNode{state: observation.Ready, room: f.room, connected: true}
}

// heartbeat says what a node has.
func (f *flame) heartbeat(name string) {
	if n := f.nodes[name]; n != nil && n.state == observation.Ready {
		n.room = f.room
	}
}

func (f *flame) streamEnds(name string, now time.Time) {
	if n := f.nodes[name]; n != nil && n.connected {
		n.connected, n.state, n.givenUpAt = false, observation.Unknown, now.Add(flameDrain)
	}
}

func (f *flame) on(node string) []*flameExecutor {
	var on []*flameExecutor
	for _, id := range sorted(f.executors) {
		if f.executors[id].node == node {
			on = append(on, f.executors[id])
		}
	}
	return on
}

// schedule lets a second pass.
func (f *flame) schedule(w *world) {
	if !f.up {
		if w.now.Before(f.upAt) {
			return
		}
		f.up, f.startedAt = true, w.now
	}
	f.giveUp(w.now)
	for _, session := range []string{"s", "t"} {
		f.allocate(w, session)
	}
	for _, id := range sorted(f.executors) {
		f.progress(w, f.executors[id])
	}
}

func (f *flame) giveUp(now time.Time) {
	for name, n := range f.nodes {
		if n.state != observation.Unknown || n.givenUpAt.IsZero() || now.Before(n.givenUpAt) {
			continue
		}
		n.state = observation.NotReady
		for id, e := range f.executors {
			if e.node == name {
				f.giveBack(e)
				delete(f.executors, id)
			}
		}
	}
}

// allocate gives a session one executor more, if it is short of them: an idle
// one, or a new one on whatever node has room, dead or alive. A Void executor is
// taken for one that is about to come, for ever.
func (f *flame) allocate(w *world, session string) {
	open := f.count(session, pending) + f.count(session, started)
	void, idle := false, (*flameExecutor)(nil)
	for _, id := range sorted(f.executors) {
		e := f.executors[id]
		switch {
		case e.session == session:
			open--
		case e.state == observation.Void:
			void = true
		case e.state == observation.Idle && idle == nil:
			idle = e
		}
	}
	if open <= 0 || f.count(session, pending) == 0 {
		return
	}
	if idle != nil {
		idle.state, idle.session = observation.Binding, session
		return
	}
	var roomy []string
	for _, name := range sorted(f.nodes) {
		if int64(len(f.on(name))) < f.nodes[name].room {
			roomy = append(roomy, name)
		}
	}
	if void || len(roomy) == 0 {
		return
	}
	f.named++
	id := fmt.Sprintf("executor-%05d", f.named)
	f.executors[id] = &flameExecutor{
		id: id, node: roomy[w.random.IntN(len(roomy))], state: observation.Void,
		unheard: w.harm && w.random.IntN(20) == 0,
	}
}

// progress is what an executor and its process do together.
func (f *flame) progress(w *world, e *flameExecutor) {
	if e.state == observation.Idle && f.count("s", pending)+f.count("t", pending) == 0 {
		e.state = observation.Releasing
	}
	n, p := f.nodes[e.node], w.processes[e.node]
	if n == nil || !n.connected || p == nil || !p.alive || w.dark(p) {
		return
	}
	switch e.state {
	case observation.Void:
		if !e.unheard {
			e.state = observation.Idle
		}
	case observation.Releasing:
		delete(f.executors, e.id)
	case observation.Binding:
		if !p.draining { // Otherwise its instance gets no socket.
			e.state, e.waits, p.instances[e.id] = observation.Bound, w.now, true
		}
	case observation.Bound, observation.Unbinding:
		f.work(w, e, p)
	}
}

func (f *flame) work(w *world, e *flameExecutor, p *process) {
	if e.task != nil {
		if e.task.left--; e.task.left > 0 {
			return
		}
		e.task.state, e.task, e.waits = done, nil, w.now
	}
	if e.state == observation.Bound {
		for _, t := range f.tasks {
			if t.session == e.session && t.state == pending {
				t.state, t.left, t.startedAt, e.task = started, t.length, w.now, t
				t.runs++
				return
			}
		}
		if w.now.Sub(e.waits) < flameRelease {
			return
		}
	}
	e.state, e.session = observation.Idle, ""
	delete(p.instances, e.id)
}

func (f *flame) count(session, state string) int {
	count := 0
	for _, t := range f.tasks {
		if t.session == session && t.state == state {
			count++
		}
	}
	return count
}

// list is what the operator gets to see.
func (f *flame) list(now time.Time) observation.Observation {
	o := observation.Observation{At: now}
	for _, session := range []string{"s", "t"} {
		o.Sessions = append(o.Sessions, observation.Session{
			ID: session, Open: true, Pending: f.count(session, pending), Running: f.count(session, started),
		})
	}
	for _, id := range sorted(f.executors) {
		e := f.executors[id]
		o.Executors = append(o.Executors, observation.Executor{ID: e.id, Node: e.node, State: e.state, Session: e.session})
	}
	for _, name := range sorted(f.nodes) {
		n := f.nodes[name]
		o.Nodes = append(o.Nodes, observation.Node{Name: name, State: n.state, Allocatable: observation.Resources{CPU: n.room}})
	}
	return o
}

func sorted[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
