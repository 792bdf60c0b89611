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

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// LostTasks asks for lost tasks, which are pending tasks of sessions that count none. If a
// call fails, LostTasks returns the error with the answers so far, the last of them
// unclear. Without an error, the answer of a session is unclear if its tasks moved, if
// there are too many of them, or if something that Flame sent was not small.
//
// To list the tasks of a session, Flame sends all of them with their data. So the first
// question is a small one: tasks are numbered from 1 without a gap, and none is lost if no
// task has the number that follows all that are counted.
func (c *Client) LostTasks(ctx context.Context, asks []observation.Ask) ([]observation.Answer, error) {
	var answers []observation.Answer
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	err := c.within(ctx, askingForTasks, func(ctx context.Context, flame ports) error {
		for _, ask := range asks {
			answer := observation.Answer{Session: ask.Session, At: c.now()}
			var err error
			answer.Tasks, err = flame.lostTasks(ctx, ask)
			answer.Unclear = err != nil
			answers = append(answers, answer)
			if err != nil && !isUnclear(err) {
				return fmt.Errorf("ask for lost tasks: %w", err)
			}
		}
		return nil
	})
	return answers, err
}

// errMoves means that tasks came or moved while they were looked at.
var errMoves = errors.New("the session's tasks move")

// isUnclear reports whether an error concerns a session, and not the session manager.
func isUnclear(err error) bool {
	return errors.Is(err, errMoves) || errors.Is(err, errOutgrown) || errors.Is(err, observation.ErrTooLarge)
}

// lostTasks lists tasks only if it has to, and discards the list with errMoves if the
// counts before and after it differ: the list has to be of a moment in which none was
// counted as pending.
func (p ports) lostTasks(ctx context.Context, ask observation.Ask) ([]int64, error) {
	before, err := p.counted(ctx, ask.Session)
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
	now, err := p.counted(ctx, before.ID)
	if err == nil && !now.SameTasks(before) {
		return errMoves
	}
	return err
}

// lacksOnly reports whether exactly the known tasks are missing from the counts of a
// session. A known task is looked at, since a session manager that was started anew runs
// the known tasks, and may have lost as many others since.
func (p ports) lacksOnly(ctx context.Context, s observation.Session, known []int64) (bool, error) {
	last := int64(s.Tasks() + len(known))
	if more, err := p.task(ctx, s.ID, last+1); err != nil || more != nil || len(known) == 0 {
		return err == nil && more == nil, err
	}
	if counted, err := p.task(ctx, s.ID, last); err != nil || counted == nil {
		return false, err
	}
	first, err := p.task(ctx, s.ID, known[0])
	return err == nil && first != nil && first.pending, err
}

// counted returns a session, and errMoves if there is none of an ID any more.
func (p ports) counted(ctx context.Context, id string) (observation.Session, error) {
	session, err := p.session(ctx, id)
	switch {
	case status.Code(err) == codes.NotFound:
		return session, errMoves
	case err != nil:
		return session, failed(err, "get session %q", id)
	}
	return session, nil
}

// task returns a task of a session, and nil if there is none of an ID.
func (p ports) task(ctx context.Context, session string, id int64) (*task, error) {
	var found task
	request := &flamev1.GetTaskRequest{SessionId: session, TaskId: strconv.FormatInt(id, 10)}
	err := p.get(ctx, oneTask, flamev1.Frontend_GetTask_FullMethodName, request, func(m *message) (err error) {
		found, err = readTask(m)
		return err
	})
	switch {
	case status.Code(err) == codes.NotFound:
		return nil, nil
	case err != nil:
		return nil, failed(err, "get task %d of session %q", id, session)
	}
	return &found, nil
}

// pendingTasks returns the IDs of the tasks that are pending, in ascending order.
func (p ports) pendingTasks(ctx context.Context, session string) ([]int64, error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	request := &flamev1.ListTaskRequest{SessionId: session}
	stream, err := flamev1.NewFrontendClient(p.frontend).ListTask(ctx, request, grpc.MaxCallRecvMsgSize(p.limit))
	if err != nil {
		return nil, failed(err, "list the tasks of session %q", session)
	}
	var pending []int64
	for range mostTasks {
		found, err := p.nextTask(stream)
		if errors.Is(err, io.EOF) {
			slices.Sort(pending)
			return slices.Compact(pending), nil
		}
		id, parseErr := strconv.ParseInt(found.id, 10, 64)
		switch {
		case err != nil:
			return nil, failed(err, "list the tasks of session %q", session)
		case parseErr != nil:
			return nil, failed(errUnreadable, "list the tasks of session %q", session)
		case found.pending:
			pending = append(pending, id)
		}
	}
	return nil, failed(errTooManyTasks, "list the tasks of session %q", session)
}

func (p ports) nextTask(stream grpc.ClientStream) (found task, err error) {
	answer := &reading{read: func(m *message) (err error) {
		found, err = readTask(m)
		return err
	}}
	err = stream.RecvMsg(answer)
	return found, p.judge(oneTask, answer, err)
}
