// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package sessionmanager

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

const (
	void      = flamev1.ExecutorState_EXECUTOR_STATE_VOID
	idle      = flamev1.ExecutorState_EXECUTOR_STATE_IDLE
	binding   = flamev1.ExecutorState_EXECUTOR_STATE_BINDING
	bound     = flamev1.ExecutorState_EXECUTOR_STATE_BOUND
	unbinding = flamev1.ExecutorState_EXECUTOR_STATE_UNBINDING
	releasing = flamev1.ExecutorState_EXECUTOR_STATE_RELEASING
	released  = flamev1.ExecutorState_EXECUTOR_STATE_RELEASED
)

// Codes of a session's events.
const (
	bindFailed        = 1001
	retryLimitReached = 1002
)

// createExecutor puts a Void executor of the session's size on a node. The executor
// belongs to no session: the session that needs it most gets it.
func (s *State) createExecutor(on *node, ssn *session) error {
	e := &executor{ID: newID(), Node: on.Name, Resreq: ssn.Resreq, State: void, woken: make(chan struct{})}
	s.executors[e.ID] = e
	return s.persist(e)
}

func (s *State) executor(id string) (*executor, error) {
	if e := s.executors[id]; e != nil {
		return e, nil
	}
	return nil, notFound("%s", id)
}

// move changes an executor's state if it is in one of those given.
func (s *State) move(id string, to flamev1.ExecutorState, from ...flamev1.ExecutorState) (*executor, error) {
	e, err := s.executor(id)
	if err != nil {
		return nil, err
	}
	for _, state := range from {
		if e.State == state {
			e.State = to
			return e, nil
		}
	}
	return nil, invalidState("Executor is %s", e.State)
}

func (s *State) registerExecutor(id string) error {
	e, err := s.move(id, idle, void)
	if err != nil {
		return err
	}
	s.tell(e)
	return nil
}

func (s *State) unregisterExecutor(id string) error {
	e, err := s.move(id, released, releasing, binding)
	if err != nil {
		return err
	}
	if err := s.store.deleteExecutor(e); err != nil {
		return internal("delete executor %q: %v", id, err)
	}
	delete(s.executors, id)
	announce(&e.woken)
	s.tell(e)
	return nil
}

func (s *State) releaseExecutor(e *executor) error {
	if _, err := s.move(e.ID, releasing, idle); err != nil {
		return err
	}
	announce(&e.woken)
	return s.persist(e)
}

// bind promises an idle executor to a session.
func (s *State) bind(e *executor, ssn *session) error {
	if _, err := s.move(e.ID, binding, idle, binding); err != nil {
		return err
	}
	e.Session = ssn.ID
	announce(&e.woken)
	return s.persist(e)
}

// waitForSession waits until an executor is bound or released. Without a
// session the executor is to leave.
func (s *State) waitForSession(ctx context.Context, id string) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.executor(id)
	if err != nil {
		return nil, err
	}
	for {
		if e.State == releasing || e.State == released {
			return nil, nil
		}
		if e.Session != "" {
			if ssn := s.sessions[e.Session]; ssn != nil && !ssn.Closed {
				return ssn, nil
			}
			return nil, nil
		}
		if err := s.wait(ctx, never, e.woken); err != nil {
			return nil, err
		}
	}
}

// bindCompleted ends a binding. A failed one counts against the session, which
// gets no more executors when its count is full, until the next restart.
func (s *State) bindCompleted(id string, result *flamev1.Result) error {
	e, err := s.executor(id)
	if err != nil {
		return err
	}
	if e.State != binding {
		return invalidState("Executor is %s", e.State)
	}
	ssn := s.sessions[e.Session]
	if ssn == nil {
		return notFound("%s", e.Session)
	}
	if result.GetReturnCode() == 0 {
		e.State = bound
		return s.persist(e)
	}
	if err := s.events.record(ssn.ID, 0, bindFailed, "Executor <%s> on node <%s> failed to bind session with return_code <%d>: %s",
		e.ID, e.Node, result.GetReturnCode(), result.GetMessage()); err != nil {
		return internal("%v", err)
	}
	ssn.retries++
	if ssn.retries == s.cluster.RetryLimits {
		if err := s.events.record(ssn.ID, 0, retryLimitReached, "Session retry limit reached after %d/%d failed attempts",
			ssn.retries, s.cluster.RetryLimits); err != nil {
			return internal("%v", err)
		}
	}
	e.State, e.Session, e.Task = unbinding, "", 0
	return s.persist(e)
}

// unbind lets the task that runs end and gives the executor no more. Called
// twice, it forgets the session and the task at once.
func (s *State) unbind(id string) error {
	e, err := s.executor(id)
	if err != nil {
		return err
	}
	wasUnbinding := e.State == unbinding
	if _, err := s.move(id, unbinding, binding, bound, unbinding); err != nil {
		return err
	}
	if wasUnbinding {
		e.Session, e.Task = "", 0
	}
	return s.persist(e)
}

func (s *State) unbindCompleted(id string) error {
	e, err := s.move(id, idle, binding, unbinding)
	if err != nil {
		return err
	}
	e.Session, e.Task = "", 0
	return s.persist(e)
}

// newID returns a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
