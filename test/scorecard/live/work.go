// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/scorecard/report"
	"github.com/xflops/flame-operator/test/scorecard/verdict"
)

// work is a session that always has more tasks than its executors can take, for as
// long as it is topped up: however fast or slow a machine is, tasks are left.
type work struct {
	*trial
	flame   *frontend
	session string
	// ahead is how many tasks wait at least, and milliseconds how long each takes:
	// long beside the moment between two, in which nobody can be sure what runs.
	ahead, milliseconds int
	// given is how many tasks the session was surely given.
	given int
}

// begin opens the session and gives it its first tasks.
func (c *cluster) begin(ctx context.Context, flame *frontend) (*work, error) {
	w := &work{trial: c.trial, flame: flame, session: c.name, ahead: 4, milliseconds: 3000}
	within, cancel := context.WithTimeout(ctx, w.patience.step)
	defer cancel()
	if err := flame.open(within, w.session); err != nil {
		return nil, report.Failed(err)
	}
	if _, err := w.topUp(within); err != nil {
		return nil, report.Failed(err)
	}
	return w, nil
}

// topUp adds tasks until as many wait as should, and returns the session as it was before.
func (w *work) topUp(ctx context.Context) (*flamev1.SessionStatus, error) {
	session, err := w.flame.GetSession(ctx, &flamev1.GetSessionRequest{SessionId: w.session})
	if err != nil {
		return nil, fmt.Errorf("get session %q: %w", w.session, err)
	}
	for range w.ahead - int(session.GetStatus().GetPending()) {
		if _, err := w.flame.submit(ctx, w.session, fmt.Appendf(nil, `{"duration": %d, "memory": null}`, w.milliseconds)); err != nil {
			return nil, err
		}
		w.given++
	}
	return session.GetStatus(), nil
}

// ends waits until no task is left, sees that each succeeded and was executed
// exactly once, and removes the session. Meanwhile something else is seen to, too.
func (w *work) ends(ctx context.Context, meanwhile func(ctx context.Context) error) ([]verdict.Task, error) {
	if err := w.eventually(ctx, "no task is left", w.patience.step, func(ctx context.Context) error {
		if err := meanwhile(ctx); err != nil {
			return err
		}
		return w.isDone(ctx)
	}); err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, w.patience.step)
	defer cancel()
	tasks, err := w.flame.tasks(within, w.session)
	if err == nil {
		err = verdict.Once(tasks, w.given)
	}
	if err == nil {
		err = w.flame.end(within, w.session)
	}
	if err != nil {
		return nil, report.Failed(err)
	}
	w.log.Printf("each of %d tasks was executed once", len(tasks))
	return tasks, nil
}

func nothingElse(context.Context) error { return nil }

func (w *work) isDone(ctx context.Context) error {
	session, err := w.flame.GetSession(ctx, &flamev1.GetSessionRequest{SessionId: w.session})
	if err != nil {
		return fmt.Errorf("get session %q: %w", w.session, err)
	}
	if status := session.GetStatus(); status.GetPending()+status.GetRunning() > 0 {
		return fmt.Errorf("%d tasks wait and %d run", status.GetPending(), status.GetRunning())
	}
	return nil
}

// tasks returns all tasks of a session. A task that is handed out again has another
// event of that, which lists leave out.
func (f *frontend) tasks(ctx context.Context, session string) ([]verdict.Task, error) {
	ids, err := f.taskIDs(ctx, session)
	if err != nil {
		return nil, fmt.Errorf("list the tasks of session %q: %w", session, err)
	}
	tasks := make([]verdict.Task, 0, len(ids))
	for _, id := range ids {
		task, err := f.GetTask(ctx, &flamev1.GetTaskRequest{SessionId: session, TaskId: id})
		if err != nil {
			return nil, fmt.Errorf("get task %s of session %q: %w", id, session, err)
		}
		tasks = append(tasks, verdict.Task{
			ID: id, State: task.GetStatus().GetState().String(), Succeeded: task.GetStatus().GetState() == flamev1.TaskState_TASK_STATE_SUCCEED,
			Executions: executions(task), Output: string(task.GetSpec().GetOutput()),
		})
	}
	return tasks, nil
}

func (f *frontend) taskIDs(ctx context.Context, session string) ([]string, error) {
	stream, err := f.ListTask(ctx, &flamev1.ListTaskRequest{SessionId: session})
	if err != nil {
		return nil, err
	}
	var ids []string
	for {
		task, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return ids, nil
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, task.GetMetadata().GetId())
	}
}

func executions(task *flamev1.Task) int {
	count := 0
	for _, event := range task.GetStatus().GetEvents() {
		if event.GetCode() == int32(flamev1.TaskState_TASK_STATE_RUNNING) {
			count++
		}
	}
	return count
}

// holders returns the nodes that hold an executor of a session.
func (f *frontend) holders(ctx context.Context, session string) ([]string, error) {
	list, err := f.ListExecutor(ctx, &flamev1.ListExecutorRequest{})
	if err != nil {
		return nil, fmt.Errorf("list the executors: %w", err)
	}
	var nodes []string
	for _, executor := range list.GetExecutors() {
		if executor.GetStatus().GetSessionId() == session && !slices.Contains(nodes, executor.GetSpec().GetNode()) {
			nodes = append(nodes, executor.GetSpec().GetNode())
		}
	}
	return nodes, nil
}
