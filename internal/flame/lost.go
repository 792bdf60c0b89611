// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// LostTasks asks for lost tasks: pending ones of sessions that count none. If a
// call fails, its session's answer is unclear, and comes with those before it and
// the error.
//
// To list the tasks of a session, Flame sends all of them with their data. So the
// first question is a small one: tasks are numbered from 1 without a gap, and if
// there is no task of the number that follows all that are counted, none is lost.
func (c *Client) LostTasks(ctx context.Context, asks []observation.Ask) ([]observation.Answer, error) {
	var answers []observation.Answer
	err := c.with(ctx, observeTimeout, func(ctx context.Context, flame ports) error {
		for _, ask := range asks {
			answer := observation.Answer{Session: ask.Session, At: c.now()}
			var err error
			answer.Tasks, err = flame.lostTasks(ctx, ask)
			answer.Unclear = err != nil
			answers = append(answers, answer)
			if err != nil && !errors.Is(err, errMoves) {
				return fmt.Errorf("ask for lost tasks: %w", err)
			}
		}
		return nil
	})
	return answers, err
}

// errMoves means that tasks came or moved while they were looked at.
var errMoves = errors.New("the session's tasks move")

// lostTasks lists only if it has to, and takes what it finds for nothing if the
// counts are not the same before and after it: what is listed has to be of a
// moment in which none was pending.
func (p ports) lostTasks(ctx context.Context, ask observation.Ask) ([]int64, error) {
	before, err := p.session(ctx, ask.Session)
	switch {
	case err != nil:
		return nil, err
	case before.Pending > 0:
		return nil, errMoves
	}
	if same, err := p.lacksOnly(ctx, before, ask.Known); err != nil || same {
		return ask.Known, err
	}
	if err := p.hasNotMoved(ctx, before); err != nil { // A task that has just come is no reason for a list.
		return nil, err
	}
	tasks, err := p.pendingTasks(ctx, ask.Session)
	if err != nil {
		return nil, err
	}
	if err := p.hasNotMoved(ctx, before); err != nil {
		return nil, err
	}
	return tasks, nil
}

func (p ports) hasNotMoved(ctx context.Context, before observation.Session) error {
	now, err := p.session(ctx, before.ID)
	if err == nil && !now.SameTasks(before) {
		return errMoves
	}
	return err
}

// lacksOnly reports whether exactly the known tasks are missing from the counts
// of a session. One of them is looked at: a session manager that was started anew
// runs them, and may have lost as many others since.
func (p ports) lacksOnly(ctx context.Context, s observation.Session, known []int64) (bool, error) {
	last := int64(s.Tasks() + len(known))
	if more, err := p.task(ctx, s.ID, last+1); err != nil || more != nil || len(known) == 0 {
		return err == nil && more == nil, err
	}
	if counted, err := p.task(ctx, s.ID, last); err != nil || counted == nil {
		return false, err
	}
	first, err := p.task(ctx, s.ID, known[0])
	return err == nil && first != nil && isPending(first), err
}

func isPending(task *flamev1.Task) bool {
	return task.GetStatus().GetState() == flamev1.TaskState_TASK_STATE_PENDING
}

// session returns errMoves if there is no session of an ID any more.
func (p ports) session(ctx context.Context, id string) (observation.Session, error) {
	answer, err := p.frontend.GetSession(ctx, &flamev1.GetSessionRequest{SessionId: id})
	switch {
	case status.Code(err) == codes.NotFound:
		return observation.Session{}, errMoves
	case err != nil:
		return observation.Session{}, failed(err, "get session %q", id)
	}
	return sessionOf(answer), nil
}

// task returns nil if a session has no task of an ID.
func (p ports) task(ctx context.Context, session string, id int64) (*flamev1.Task, error) {
	task, err := p.frontend.GetTask(ctx, &flamev1.GetTaskRequest{SessionId: session, TaskId: strconv.FormatInt(id, 10)})
	switch {
	case status.Code(err) == codes.NotFound:
		return nil, nil
	case err != nil:
		return nil, failed(err, "get task %d of session %q", id, session)
	}
	return task, nil
}

// pendingTasks returns the IDs of the tasks that are pending, in ascending order.
func (p ports) pendingTasks(ctx context.Context, session string) ([]int64, error) {
	stream, err := p.frontend.ListTask(ctx, &flamev1.ListTaskRequest{SessionId: session})
	if err != nil {
		return nil, failed(err, "list the tasks of session %q", session)
	}
	var pending []int64
	for {
		task, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			slices.Sort(pending)
			return pending, nil
		case err != nil:
			return nil, failed(err, "list the tasks of session %q", session)
		case !isPending(task):
			continue
		}
		id, err := strconv.ParseInt(task.GetMetadata().GetId(), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("list the tasks of session %q: %w: read an ID: %w", session, observation.ErrAnswer, err)
		}
		pending = append(pending, id)
	}
}
