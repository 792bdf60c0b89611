// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/xflops/flame-operator/internal/flame/flametest"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

const (
	// nodeDrain is how long Flame waits for a node to come back, release how long
	// an executor waits for its session's next task, heartbeat how often a node says
	// what it has.
	nodeDrain, release, heartbeat = 30 * time.Second, 20 * time.Second, 5 * time.Second
)

// one is what an executor takes, and a node has room for.
var one = observation.Resources{CPU: 1, Memory: 1 << 30}

// modelFlame schedules the tasks of one session on the nodes of a fake session
// manager, as unforgiving as Flame is: executors are put on whatever node has
// room, dead or alive, and one that no process takes stands in the way of others.
type modelFlame struct {
	world  *world
	server *flametest.Server
	// up session managers run, reachable ones are in their Service too.
	up, reachable bool
	tasks         []*modelTask
	work          map[string]*modelWork
	named         int
	// drains is when nodes that drain are given up, fencedAt when a fence let them.
	drains, fencedAt map[string]time.Time
	// beats is when nodes that registered as ones with nothing say what they have.
	beats map[string]time.Time
	// deafens has the next new executor not heard of by its node.
	deafens bool
}

// modelWork is what an executor does that Flame does not list.
type modelWork struct {
	task    *modelTask
	since   time.Time
	unheard bool
}

type modelTask struct {
	length time.Duration
	endAt  time.Time
	state  string
	// runs counts how often it was started, excused how often something other than
	// the operator has ended it.
	runs, excused int
}

const (
	waiting   = "Pending"
	running   = "Running"
	succeeded = "Succeeded"
)

func newModelFlame(w *world, server *flametest.Server) *modelFlame {
	m := &modelFlame{
		world: w, server: server, work: map[string]*modelWork{},
		drains: map[string]time.Time{}, fencedAt: map[string]time.Time{}, beats: map[string]time.Time{},
	}
	m.shutDown()
	return m
}

// submit adds tasks to the session.
func (m *modelFlame) submit(lengths ...time.Duration) {
	for _, length := range lengths {
		m.tasks = append(m.tasks, &modelTask{length: length, state: waiting})
	}
	m.server.Change(m.count)
}

func (m *modelFlame) number(state string) (n int) {
	for _, t := range m.tasks {
		if t.state == state {
			n++
		}
	}
	return n
}

func (m *modelFlame) startUp() {
	m.up = true
	m.world.moved = true
	m.server.Answer()
}

// shutDown ends the session manager, which keeps what it knows, but no streams
// and no drains.
func (m *modelFlame) shutDown() {
	m.up, m.reachable = false, false
	m.server.Fail(grpcstatus.Error(codes.Unavailable, "there is no session manager"))
	clear(m.drains)
	clear(m.fencedAt)
	m.server.Change(func(o *observation.Observation) {
		o.Executors = slices.Clone(o.Executors)
		for i := range o.Executors {
			e := &o.Executors[i]
			if e.State == observation.Binding {
				e.State, e.Session = observation.Idle, ""
			}
			if w := m.work[e.ID]; w != nil && w.task != nil {
				w.task.excused++
			}
			m.giveBack(e.ID)
		}
	})
}

// register is how a process's stream begins.
func (m *modelFlame) register(node string) {
	delete(m.drains, node)
	delete(m.fencedAt, node)
	delete(m.beats, node)
	m.server.Change(func(o *observation.Observation) {
		o.Nodes = slices.DeleteFunc(slices.Clone(o.Nodes), func(n observation.Node) bool { return n.Name == node })
		o.Nodes = append(o.Nodes, observation.Node{Name: node, State: observation.Ready, Capacity: one, Allocatable: one})
	})
}

func (m *modelFlame) streamEnds(node string) {
	m.server.Change(func(o *observation.Observation) {
		if n := find(o, node); n != nil {
			n.State = observation.Unknown
			m.drains[node] = m.world.now().Add(nodeDrain)
		}
	})
}

// serves says whether a session's instance is connected on a node.
func (m *modelFlame) serves(node string) bool {
	return slices.ContainsFunc(m.server.State().Executors, func(e observation.Executor) bool {
		return e.Node == node && (e.State == observation.Bound || e.State == observation.Unbinding)
	})
}

// holds returns how many executors there are on a node, and whether it is listed.
func (m *modelFlame) holds(node string) (executors int, listed bool) {
	o := m.server.State()
	for _, e := range o.Executors {
		if e.Node == node {
			executors++
		}
	}
	return executors, find(&o, node) != nil
}

func (m *modelFlame) executor(id string) *observation.Executor {
	for _, e := range m.server.State().Executors {
		if e.ID == id {
			return &e
		}
	}
	return nil
}

func find(o *observation.Observation, node string) *observation.Node {
	for i := range o.Nodes {
		if o.Nodes[i].Name == node {
			return &o.Nodes[i]
		}
	}
	return nil
}

// tick lets what is due happen.
func (m *modelFlame) tick() {
	if !m.up {
		return
	}
	m.server.Change(func(o *observation.Observation) {
		o.Nodes, o.Executors = slices.Clone(o.Nodes), slices.Clone(o.Executors)
		slices.SortFunc(o.Nodes, func(a, b observation.Node) int { return cmp.Compare(a.Name, b.Name) })
		m.beat(o)
		m.giveUp(o)
		m.allocate(o)
		for i := range o.Executors {
			m.progress(&o.Executors[i])
		}
		o.Executors = slices.DeleteFunc(o.Executors, func(e observation.Executor) bool { return e.State == observation.Released })
		m.count(o)
	})
}

// beat has nodes that live say what they have.
func (m *modelFlame) beat(o *observation.Observation) {
	for i := range o.Nodes {
		n := &o.Nodes[i]
		at, due := m.beats[n.Name]
		if !due || !m.heard(n.Name) {
			continue
		}
		if m.world.wake(at); m.world.now().Before(at) {
			continue
		}
		n.Capacity, n.Allocatable = one, one
		delete(m.beats, n.Name)
		m.world.moved = true
	}
}

// heard says whether a node's process is connected and not halted.
func (m *modelFlame) heard(node string) bool {
	p := m.world.process(node)
	return p != nil && p.alive && p.linked && !m.world.halted(p)
}

func (m *modelFlame) giveUp(o *observation.Observation) {
	for node, at := range m.drains {
		if m.world.wake(at); m.world.now().Before(at) {
			continue
		}
		m.world.moved = true
		delete(m.drains, node)
		delete(m.fencedAt, node)
		find(o, node).State = observation.NotReady
		o.Executors = slices.DeleteFunc(o.Executors, func(e observation.Executor) bool {
			if e.Node == node {
				m.giveBack(e.ID)
				delete(m.work, e.ID)
			}
			return e.Node == node
		})
	}
}

func (m *modelFlame) giveBack(executor string) {
	if w := m.work[executor]; w != nil && w.task != nil {
		w.task.state, w.task = waiting, nil
	}
}

// count has the session show its tasks.
func (m *modelFlame) count(o *observation.Observation) {
	o.Sessions = []observation.Session{{
		ID: "s", Open: true, BatchSize: 1, Resreq: &one,
		Pending: m.number(waiting), Running: m.number(running), Succeeded: m.number(succeeded),
	}}
}

// allocate gives the session one executor more if it is short of them: one that
// is free, or a new one on the first node with room.
func (m *modelFlame) allocate(o *observation.Observation) {
	short := m.number(waiting)
	for _, e := range o.Executors {
		if e.State == observation.Binding || e.State == observation.Bound && m.work[e.ID].task == nil {
			short--
		}
	}
	if short <= 0 {
		return
	}
	taken := map[string]bool{}
	for i := range o.Executors {
		e := &o.Executors[i]
		switch taken[e.Node] = true; e.State {
		case observation.Void:
			return // It is taken for one that is about to come.
		case observation.Idle:
			e.State, e.Session = observation.Binding, "s"
			m.world.moved = true
			return
		}
	}
	for _, n := range o.Nodes {
		if n.Allocatable.CPU > 0 && !taken[n.Name] {
			m.named++
			id := fmt.Sprintf("executor-%03d", m.named)
			m.work[id] = &modelWork{since: m.world.now(), unheard: m.deafens}
			m.deafens, m.world.moved = false, true
			o.Executors = append(o.Executors, observation.Executor{ID: id, Node: n.Name, State: observation.Void, Resreq: one})
			return
		}
	}
}
