// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

// Execution is one time that a task was handed to an executor.
type Execution struct {
	// Node is the executor manager that got it. Flame's own history does not name
	// it, the stand-in's does: with Flame it is known of a task's last execution
	// only, and "" otherwise.
	Node string
	// At is when, by the session manager's clock.
	At time.Time
	// Again says that it was handed to an executor that had it already: after a
	// restart of the session manager, an executor asks for the task that it runs.
	Again bool
}

// Task is what became of a task.
type Task struct {
	Session, ID string
	State       flamev1.TaskState
	Executions  []Execution
}

// Executions returns how often each task of a session was started, by its name.
func (f Flame) Executions(ctx context.Context, id string) (map[string]int, error) {
	tasks, err := f.History(ctx, id)
	counts := map[string]int{}
	for _, task := range tasks {
		counts[task.ID] = len(task.Executions)
	}
	return counts, err
}

// History returns the tasks of a session with all their executions: a task that
// is handed out again gets another event. Lists leave events out, so each task is
// asked for.
func (f Flame) History(ctx context.Context, id string) ([]Task, error) {
	var names []string
	if err := f.each(ctx, id, func(task *flamev1.Task) { names = append(names, task.GetMetadata().GetId()) }); err != nil {
		return nil, err
	}
	tasks := make([]Task, 0, len(names))
	for _, name := range names {
		task, err := f.GetTask(ctx, &flamev1.GetTaskRequest{TaskId: name, SessionId: id})
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, historyOf(id, task))
	}
	return tasks, nil
}

var onNode = regexp.MustCompile(`on node <([^>]+)>`)

func historyOf(session string, task *flamev1.Task) Task {
	history := Task{Session: session, ID: task.GetMetadata().GetId(), State: task.GetStatus().GetState()}
	for _, event := range task.GetStatus().GetEvents() {
		if event.GetCode() != int32(flamev1.TaskState_TASK_STATE_RUNNING) {
			continue
		}
		history.Executions = append(history.Executions, Execution{
			Node:  submatch(onNode, event.GetMessage()),
			At:    time.UnixMilli(event.GetCreationTime()),
			Again: strings.Contains(event.GetMessage(), "again"),
		})
	}
	if last := len(history.Executions) - 1; last >= 0 && history.Executions[last].Node == "" {
		history.Executions[last].Node = submatch(completedOn, string(task.GetSpec().GetOutput()))
	}
	return history
}

func submatch(expression *regexp.Regexp, text string) string {
	if found := expression.FindStringSubmatch(text); found != nil {
		return found[1]
	}
	return ""
}
