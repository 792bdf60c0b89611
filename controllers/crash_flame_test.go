// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"reflect"
	"time"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/xflops/flame-operator/internal/flame/flametest"
	"github.com/xflops/flame-operator/test/flamemodel"
)

// modelFlame schedules the tasks of one session, by the rules of Flame, on the
// nodes of a fake session manager, one executor on each.
type modelFlame struct {
	*flamemodel.Flame
	world  *world
	server *flametest.Server
	// reachable session managers are in their Service.
	reachable bool
	// deafens has the next new executor not heard of by its node.
	deafens bool
}

func newModelFlame(w *world, server *flametest.Server) *modelFlame {
	m := &modelFlame{world: w, server: server}
	m.Flame = flamemodel.New(m, 1, "s")
	m.shutDown()
	return m
}

// Now, Acts, Drains, Loses and Picks are what the rules ask.
func (m *modelFlame) Now() time.Time { return m.world.now() }

// Acts is false of a process that its drain halts: no task of it starts, or is
// reported.
func (m *modelFlame) Acts(node string) bool {
	p := m.world.process(node)
	if p.drainsSince.IsZero() {
		return true
	}
	since := m.world.now().Sub(p.drainsSince) % haltEvery
	m.world.wake(m.world.now().Add(halt - since))
	return since >= halt
}

func (m *modelFlame) Drains(node string) bool { return !m.world.process(node).drainsSince.IsZero() }

func (m *modelFlame) Loses(again bool) bool {
	loses := m.deafens && !again
	m.deafens = m.deafens && again
	return loses
}

func (m *modelFlame) Picks(int) int { return 0 }

// submit adds tasks to the session.
func (m *modelFlame) submit(lengths ...time.Duration) {
	m.Submit("s", lengths...)
	m.show()
}

func (m *modelFlame) number(state flamemodel.TaskState) int { return m.Count("s", state) }

// show has the server list what there is now.
func (m *modelFlame) show() { m.server.Set(m.List()) }

func (m *modelFlame) startUp() {
	m.Up = true
	m.world.moved = true
	m.server.Answer()
}

func (m *modelFlame) shutDown() {
	m.Stop()
	m.reachable = false
	m.server.Fail(grpcstatus.Error(codes.Unavailable, "there is no session manager"))
	m.show()
}

// tick lets what is due happen.
func (m *modelFlame) tick() {
	before := m.List()
	m.Step()
	m.world.moved = m.world.moved || !reflect.DeepEqual(before, m.List())
	m.world.wake(m.Next)
	m.show()
}

// carryOut is a call of the operator. What it does to the lists the server knows;
// this is what the model learns of it.
func (m *modelFlame) carryOut(call flametest.Call, effect func() error) error {
	m.judgeNode(call)
	m.judgeExecutor(call)
	if err := effect(); err != nil {
		return err
	}
	switch call.Verb {
	case "RegisterNode":
		m.Register(call.Name, call.Allocatable.CPU)
	case "WatchNode":
		m.Fence(call.Name)
	case "ReleaseNode":
		m.Release(call.Name)
	default:
		m.learn(call.Name)
	}
	return nil
}

// learn takes over what a call has made of an executor.
func (m *modelFlame) learn(id string) {
	for _, e := range m.server.State().Executors {
		if e.ID == id {
			m.Executors[id].Executor = e
			return
		}
	}
	delete(m.Executors, id)
}
