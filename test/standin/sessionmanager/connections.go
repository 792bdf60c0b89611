// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package sessionmanager

import (
	"time"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/standin/pace"
)

const (
	// drainTimeout is how long a node whose stream has ended may come back.
	drainTimeout = 30 * time.Second
	// queueLength is how many executors wait for a node's stream.
	queueLength = 256
)

type connectionState int

const (
	connected connectionState = iota
	draining
	closed
)

// connection is what stays of a node's streams: the queue outlives them, and so does the
// reader of a stream that has ended. Such a reader takes the next executor out of the
// queue before it notices the end, so the first executor after a reconnect is lost.
type connection struct {
	queue chan *flamev1.Executor
	state connectionState
	timer *time.Timer
}

// connect makes a connection, or revives one that drains.
func (s *State) connect(name string) (*connection, error) {
	c := s.connections[name]
	switch {
	case c == nil:
		c = &connection{queue: make(chan *flamev1.Executor, queueLength)}
		s.connections[name] = c
		s.log.Infof("controller", "Node <%s> connection created", name)
	case c.state == closed:
		return nil, invalidState("Node <%s> connection is closed for good", name)
	case c.state == draining:
		c.timer.Stop()
		c.timer = nil
		c.state = connected
		s.log.Infof("controller", "Cancelled drain timer for reconnecting node <%s>, from Draining to Connected", name)
	}
	if n := s.nodes[name]; n != nil && n.State != flamev1.NodeState_NODE_STATE_READY {
		s.log.Infof("controller", "Node <%s> reconnected, from %s to Ready", name, stateName(n.State))
		if err := s.setNodeState(n, flamev1.NodeState_NODE_STATE_READY); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// drain starts the timer of a node whose stream has ended.
func (s *State) drain(name string) error {
	c := s.connections[name]
	if c == nil || c.state != connected {
		return nil
	}
	c.state = draining
	timeout := pace.Of(drainTimeout)
	var timer *time.Timer
	timer = time.AfterFunc(timeout, func() {
		err := s.do(func() error {
			if c.state != draining || c.timer != timer {
				return nil
			}
			return s.shutdown(name, c)
		})
		if err != nil {
			s.log.Errorf("controller", "Cannot shut down node <%s>: %v", name, err)
		}
	})
	c.timer = timer
	s.log.Infof("controller", "Node <%s> disconnected, drain timer started (%s)", name, timeout)
	n := s.nodes[name]
	if n == nil {
		return nil
	}
	if n.State != flamev1.NodeState_NODE_STATE_READY {
		return invalidState("node <%s> is %s", name, stateName(n.State))
	}
	s.log.Infof("controller", "Node <%s> draining, from Ready to Unknown", name)
	return s.setNodeState(n, flamev1.NodeState_NODE_STATE_UNKNOWN)
}

// shutdown gives a node up: its executors go, their tasks are pending again. A
// node that was released meanwhile takes neither along, so both are orphans.
func (s *State) shutdown(name string, c *connection) error {
	c.state = closed
	if n := s.nodes[name]; n != nil {
		switch n.State {
		case flamev1.NodeState_NODE_STATE_READY:
			return invalidState("node <%s> is Ready, it must drain first", name)
		case flamev1.NodeState_NODE_STATE_UNKNOWN:
			s.log.Infof("controller", "Node <%s> shutdown, from Unknown to NotReady", name)
			n.State = flamev1.NodeState_NODE_STATE_NOT_READY
			s.clean(name)
			if err := s.setNodeState(n, flamev1.NodeState_NODE_STATE_NOT_READY); err != nil {
				return err
			}
		}
	}
	delete(s.connections, name)
	return nil
}

// clean deletes a node's executors and puts their tasks back. Without storage a
// task cannot be put back: it runs forever.
func (s *State) clean(name string) {
	for _, e := range s.executorsOf(name) {
		if ssn := s.sessions[e.Session]; ssn != nil && e.Task != 0 {
			s.retry(ssn, e)
		}
		if err := s.store.deleteExecutor(e); err != nil {
			s.log.Warnf("storage", "Cannot delete executor %s: %v", e.ID, err)
			continue
		}
		delete(s.executors, e.ID)
	}
}

func (s *State) retry(ssn *session, e *executor) {
	t := ssn.tasks[e.Task]
	if t == nil || !s.store.durable() {
		s.log.Warnf("storage", "Cannot retry task %d of session %s: not found", e.Task, ssn.ID)
		return
	}
	ssn.set(t, flamev1.TaskState_TASK_STATE_PENDING)
	if err := s.store.saveTask(ssn.ID, t); err != nil {
		s.log.Warnf("storage", "Cannot retry task %d of session %s: %v", t.ID, ssn.ID, err)
		return
	}
	s.log.Infof("storage", "Retried task %d for session %s due to executor %s cleanup", t.ID, ssn.ID, e.ID)
}
