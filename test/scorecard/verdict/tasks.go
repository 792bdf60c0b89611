// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package verdict

import "fmt"

// Task is what is known of a task in the end.
type Task struct {
	ID string
	// State is Flame's name for how it ended, and Succeeded whether that is success.
	State     string
	Succeeded bool
	// Executions is how often it was handed to an executor.
	Executions int
	// Output names the executor manager that ran it.
	Output string
}

// Once returns nil if there are at least so many tasks, and each succeeded and was
// executed exactly once.
func Once(tasks []Task, atLeast int) error {
	if len(tasks) < atLeast {
		return fmt.Errorf("the session has %d tasks, and %d were given to it", len(tasks), atLeast)
	}
	for _, task := range tasks {
		switch {
		case !task.Succeeded:
			return fmt.Errorf("task %s of %d ended %s", task.ID, len(tasks), task.State)
		case task.Executions != 1:
			return fmt.Errorf("task %s of %d was executed %d times", task.ID, len(tasks), task.Executions)
		}
	}
	return nil
}

// TookPart returns nil if some of the tasks ran on the executor managers.
func TookPart(tasks []Task, executors Pods) error {
	for _, task := range tasks {
		if RanOn(task.Output, executors) == nil {
			return nil
		}
	}
	return fmt.Errorf("none of %d tasks ran on any of %v", len(tasks), executors.Names())
}

// AllWork returns nil if every one of the executor managers is among those that
// hold an executor of a session, and as many tasks run as there are of them.
func AllWork(executors Pods, holders []string, running int32) error {
	idle := Pods{}
	for name, uid := range executors {
		idle[name] = uid
	}
	for _, name := range holders {
		delete(idle, name)
	}
	if len(idle) > 0 {
		return fmt.Errorf("%v have nothing to do", idle.Names())
	}
	if int(running) < len(executors) {
		return fmt.Errorf("%d tasks run on %d executor managers", running, len(executors))
	}
	return nil
}
