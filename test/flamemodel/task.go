// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flamemodel

import "time"

// Task is one of a session.
type Task struct {
	Session   string
	State     TaskState
	StartedAt time.Time
	// Runs counts how often it was started, Excused how often Flame has put it back:
	// its node was given up, or the session manager ended. Whether an operator may
	// bring that about, the test judges.
	Runs, Excused int

	length time.Duration
}

// TaskState is how far a task has come.
type TaskState string

// The states of a task. What is Dropped was forgotten by a session manager.
const (
	Pending   TaskState = "Pending"
	Running   TaskState = "Running"
	Succeeded TaskState = "Succeeded"
	Dropped   TaskState = "Dropped"
)

// Submit gives a session tasks that take so long.
func (f *Flame) Submit(session string, lengths ...time.Duration) {
	for _, length := range lengths {
		f.Tasks = append(f.Tasks, &Task{Session: session, State: Pending, length: length})
	}
}

// Count returns how many tasks of a session are in a state.
func (f *Flame) Count(session string, state TaskState) int {
	count := 0
	for _, t := range f.Tasks {
		if t.Session == session && t.State == state {
			count++
		}
	}
	return count
}

// giveBack puts the task of an executor back into its queue.
func (e *Executor) giveBack() {
	if e.Task != nil {
		e.Task.State = Pending
		e.Task.Excused++
		e.Task = nil
	}
}

// launch gives an executor the next task of its session, if there is any.
func (f *Flame) launch(e *Executor) bool {
	for _, t := range f.Tasks {
		if t.Session == e.Session && t.State == Pending {
			t.State, t.StartedAt, e.Task = Running, f.world.Now(), t
			t.Runs++
			return true
		}
	}
	return false
}
