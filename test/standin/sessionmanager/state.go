// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package sessionmanager

import (
	"fmt"
	"sync"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/standin/config"
	"github.com/xflops/flame-operator/test/standin/journal"
)

// State is all that the session manager knows. One lock guards the state. Messages to
// nodes are sent after the lock is given back, since a full queue makes the sender wait.
type State struct {
	mu           sync.Mutex
	log          *journal.Log
	cluster      config.Cluster
	store        store
	events       *eventLog
	sessions     map[string]*session
	executors    map[string]*executor
	nodes        map[string]*node
	connections  map[string]*connection
	applications map[string]*application
	outbox       []delivery
}

// delivery is an executor as it was when its node had to be told of it.
type delivery struct {
	to       *connection
	executor *flamev1.Executor
}

// Open loads what the storage has.
func Open(cluster config.Cluster, log *journal.Log) (*State, error) {
	events, err := openEvents(cluster.Storage)
	if err != nil {
		return nil, err
	}
	store, err := openStore(cluster.Storage)
	if err != nil {
		return nil, err
	}
	s := &State{
		log:          log,
		cluster:      cluster,
		store:        store,
		events:       events,
		sessions:     map[string]*session{},
		executors:    map[string]*executor{},
		nodes:        map[string]*node{},
		connections:  map[string]*connection{},
		applications: map[string]*application{},
	}
	if err := store.load(s); err != nil {
		return nil, fmt.Errorf("load storage: %w", err)
	}
	return s, s.recover()
}

// recover settles what a restart left in the middle:
//   - a task that ran is pending, though its executor may still run it,
//   - an executor that was being bound is idle,
//   - a node is what it was last, with no connection and no timer.
func (s *State) recover() error {
	for _, ssn := range s.sessions {
		for _, t := range ssn.tasks {
			if t.State != flamev1.TaskState_TASK_STATE_RUNNING {
				continue
			}
			ssn.set(t, flamev1.TaskState_TASK_STATE_PENDING)
			if err := s.store.saveTask(ssn.ID, t); err != nil {
				return err
			}
		}
	}
	for _, e := range s.executors {
		if e.State != flamev1.ExecutorState_EXECUTOR_STATE_BINDING {
			continue
		}
		e.State, e.Session = flamev1.ExecutorState_EXECUTOR_STATE_IDLE, ""
		if err := s.store.saveExecutor(e); err != nil {
			return err
		}
	}
	return nil
}

// do runs f under the lock, then sends what f left in the outbox.
func (s *State) do(f func() error) error {
	s.mu.Lock()
	err := f()
	outbox := s.outbox
	s.outbox = nil
	s.mu.Unlock()
	for _, d := range outbox {
		d.to.queue <- d.executor
	}
	return err
}

// tell sends an executor to its node, if that is connected.
func (s *State) tell(e *executor) {
	if c := s.connections[e.Node]; c != nil && c.state == connected {
		s.outbox = append(s.outbox, delivery{c, e.proto()})
	}
}

// persist saves an executor and tells its node.
func (s *State) persist(e *executor) error {
	if err := s.store.saveExecutor(e); err != nil {
		return internal("save executor %q: %v", e.ID, err)
	}
	s.tell(e)
	return nil
}
