// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package sessionmanager

import (
	"context"
	"time"

	"google.golang.org/grpc/status"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/standin/pace"
)

const (
	pending   = flamev1.TaskState_TASK_STATE_PENDING
	running   = flamev1.TaskState_TASK_STATE_RUNNING
	succeed   = flamev1.TaskState_TASK_STATE_SUCCEED
	failed    = flamev1.TaskState_TASK_STATE_FAILED
	cancelled = flamev1.TaskState_TASK_STATE_CANCELLED
)

func (s *State) createTask(sessionID string, input []byte) (*flamev1.Task, error) {
	ssn := s.sessions[sessionID]
	if ssn == nil {
		return nil, notFound("%s", sessionID)
	}
	if ssn.Closed && s.store.durable() {
		return nil, invalidState("Cannot create task in closed session")
	}
	t := &task{ID: int64(len(ssn.tasks) + 1), Input: input, Created: seconds(), changed: make(chan struct{})}
	ssn.tasks[t.ID] = t
	ssn.set(t, pending)
	if err := s.store.saveTask(ssn.ID, t); err != nil {
		return nil, internal("%v", err)
	}
	if err := s.events.record(ssn.ID, t.ID, int32(pending), "Task was created with state <Pending>"); err != nil {
		return nil, internal("%v", err)
	}
	announce(&ssn.arrival)
	return t.proto(ssn.ID, nil), nil
}

func (s *State) task(sessionID string, id int64) (*session, *task, error) {
	ssn := s.sessions[sessionID]
	if ssn == nil {
		return nil, nil, notFound("%s", sessionID)
	}
	if t := ssn.tasks[id]; t != nil {
		return ssn, t, nil
	}
	return nil, nil, notFound("%d", id)
}

// launchTask gives a bound executor its next task, and waits for one as long as
// the application's delay_release says. No task means: leave the session.
//
// A task is taken out of the queue before it is known whether the executor may
// still have it. If that was unbound meanwhile, the task is dropped: it stays
// pending, and nothing runs it before the next restart.
func (s *State) launchTask(ctx context.Context, id string) (*flamev1.Task, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.executor(id)
	if err != nil {
		return nil, err
	}
	if e.Session == "" {
		return nil, nil
	}
	if e.Task != 0 {
		return s.relaunch(e)
	}
	ssn := s.sessions[e.Session]
	if ssn == nil {
		s.log.Warnf("controller", "Session <%s> not found when launching task", e.Session)
		return nil, nil
	}
	t, err := s.waitForTask(ctx, ssn)
	if t == nil || err != nil {
		return nil, err
	}
	switch e.State {
	case unbinding:
		return nil, nil
	case bound:
		return s.run(e, ssn, t)
	default:
		return nil, invalidState("Executor is %s", e.State)
	}
}

// relaunch hands out again what the executor is said to run already. After a
// restart, which made the task pending, this runs it once more. Flame writes no
// event for that; the stand-in does, once, so that a task's Running events are
// all its executions.
func (s *State) relaunch(e *executor) (*flamev1.Task, error) {
	s.log.Warnf("controller", "Re-launch the task <%s/%d>", e.Session, e.Task)
	ssn, t, err := s.task(e.Session, e.Task)
	if err != nil {
		return nil, err
	}
	if t.State != running && !e.relaunched {
		e.relaunched = true
		if err := s.events.record(ssn.ID, t.ID, int32(running), "Task was launched again on node <%s>", e.Node); err != nil {
			return nil, internal("%v", err)
		}
	}
	return t.proto(ssn.ID, nil), nil
}

func (s *State) waitForTask(ctx context.Context, ssn *session) (*task, error) {
	app := s.applications[ssn.Application]
	if app == nil {
		return nil, notFound("%s", ssn.Application)
	}
	deadline := time.Now().Add(pace.Of(time.Duration(app.Spec.GetDelayRelease()) * time.Second))
	for {
		if t := ssn.pop(); t != nil {
			return t, nil
		}
		if ssn.Closed {
			return nil, nil
		}
		// A task that was put back after a drain wakes nobody, and who has waited
		// long enough leaves without another look.
		if err := s.wait(ctx, deadline, ssn.arrival); err != nil {
			return nil, err
		}
		if !time.Now().Before(deadline) {
			return nil, nil
		}
	}
}

// never is the deadline of a wait that only news or the caller's end ends.
var never time.Time

// wait gives the lock back until there is news, or the deadline has come.
func (s *State) wait(ctx context.Context, deadline time.Time, news <-chan struct{}) error {
	s.mu.Unlock()
	defer s.mu.Lock()
	var late <-chan time.Time
	if deadline != never {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	case <-late:
	case <-news:
	}
	return nil
}

func (s *State) run(e *executor, ssn *session, t *task) (*flamev1.Task, error) {
	ssn.set(t, running)
	if err := s.store.saveTask(ssn.ID, t); err != nil {
		return nil, internal("%v", err)
	}
	if err := s.events.record(ssn.ID, t.ID, int32(running), "Task state was updated to <Running> on node <%s>", e.Node); err != nil {
		return nil, internal("%v", err)
	}
	e.Task, e.relaunched = t.ID, false
	announce(&t.changed)
	if err := s.store.saveExecutor(e); err != nil {
		return nil, internal("%v", err)
	}
	return t.proto(ssn.ID, nil), nil
}

func (s *State) completeTask(id string, result *flamev1.TaskResult) error {
	e, err := s.executor(id)
	if err != nil {
		return err
	}
	if e.Session == "" {
		return invalidState("no session in executor")
	}
	if e.Task == 0 {
		return invalidState("no task in executor")
	}
	ssn, t, err := s.task(e.Session, e.Task)
	if err != nil {
		return err
	}
	if e.State != bound && e.State != unbinding {
		return invalidState("Executor is %s", e.State)
	}
	end, message := succeed, "Task was completed with state <Succeed>"
	if result.GetReturnCode() != 0 {
		end, message = failed, result.GetMessage()
	}
	ssn.set(t, end)
	t.Output, t.Completed = result.GetOutput(), seconds()
	if err := s.store.saveTask(ssn.ID, t); err != nil {
		return internal("%v", err)
	}
	if err := s.events.record(ssn.ID, t.ID, int32(end), "%s", message); err != nil {
		return internal("%v", err)
	}
	announce(&t.changed)
	e.Task = 0
	if e.State == unbinding {
		e.Session = ""
	}
	return s.persist(e)
}

// watchTask sends a task at each change that is announced, until it has ended.
// A task that is unknown, or forgotten meanwhile, ends the stream without an error.
func (s *State) watchTask(ctx context.Context, sessionID string, id int64, send func(*flamev1.Task) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, t, err := s.task(sessionID, id)
	if err != nil {
		return nil
	}
	for seen := t.State; ; {
		if _, t, err = s.task(sessionID, id); err != nil {
			return nil
		}
		if t.State != seen || t.State >= succeed {
			seen = t.State
			message := t.proto(sessionID, nil)
			s.mu.Unlock()
			err := send(message)
			s.mu.Lock()
			if err != nil || seen >= succeed {
				return err
			}
			continue
		}
		if err := s.wait(ctx, never, t.changed); err != nil {
			return err
		}
	}
}
