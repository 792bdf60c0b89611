// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"slices"
	"time"
)

// Violence is what a test did to a cluster that costs running tasks.
type Violence struct {
	// Kills are the executor managers that were killed, by their pods.
	Kills map[string]Kill
	// Starts are when the session managers started, the first one and each that
	// came after one that died, in whole seconds of their own clock.
	Starts []time.Time
}

// Kill is the end of an executor manager that nobody waited for.
type Kill struct {
	At time.Time
	// Lingers says that its process was not killed at that moment, but left to
	// itself: it may have taken tasks after that.
	Lingers bool
}

// Cause is why a task was executed once more.
type Cause string

// The causes. Whatever is none of those that a test is to blame for is Unexplained.
const (
	ExecutorManagerKilled Cause = "executor manager killed"
	SessionManagerKilled  Cause = "session manager killed"
	PutBackTwice          Cause = "put back twice after its session manager was killed"
	Unexplained           Cause = "unexplained"
)

// clocks is how far the clocks of a test and of a cluster may be apart.
const clocks = 3 * time.Second

// Repeats returns why a task was executed once more, for each execution after its
// first one. An execution is explained by the one that it repeats:
//
//   - The executor manager of the earlier execution was killed between the two.
//   - The session manager that handed out the earlier execution was gone when the later
//     one was handed out. So the task ran when that session manager died; a task that was
//     put back earlier would have been handed out again by the same session manager.
//   - An executor that asks for the task that it already runs repeats its own execution,
//     which it got from a session manager that has died since. Any other execution
//     repeats the last execution before it that did not come from such a question.
//   - A task that ran when a session manager died was put back by the next one, and
//     Flame puts it back once more when the node that had it is given up, even if it
//     has succeeded since.
//
// An execution on a pod that went in good order explains no repetition.
func (v Violence) Repeats(executions []Execution) []Cause {
	var causes []Cause
	for i := 1; i < len(executions); i++ {
		causes = append(causes, v.cause(executions[:i], executions[i]))
	}
	return causes
}

func (v Violence) cause(earlier []Execution, this Execution) Cause {
	before, found := v.repeated(earlier, this)
	switch {
	case found && v.sessionManagerDied(before.At, this.At):
		return SessionManagerKilled
	case found && !this.Again && v.wasKilled(before, this.At):
		return ExecutorManagerKilled
	case v.PutBack(earlier):
		return PutBackTwice
	default:
		return Unexplained
	}
}

// PutBack reports whether a task with these executions was put back because its
// session manager had died while it ran.
func (v Violence) PutBack(executions []Execution) bool {
	for i, execution := range executions {
		if i > 0 && v.sessionManagerDied(executions[i-1].At, execution.At) {
			return true
		}
	}
	return false
}

// repeated returns the execution that an execution repeats.
func (v Violence) repeated(earlier []Execution, this Execution) (Execution, bool) {
	for _, before := range slices.Backward(earlier) {
		if this.Again && before.Node == this.Node && v.sessionManagerDied(before.At, this.At) || !this.Again && !before.Again {
			return before, true
		}
	}
	return Execution{}, false
}

// sessionManagerDied reports whether another session manager started between two
// times. A start in whole seconds may have been up to a second later.
func (v Violence) sessionManagerDied(from, to time.Time) bool {
	for _, start := range v.Starts {
		if from.Before(start.Add(time.Second)) && !to.Before(start) {
			return true
		}
	}
	return false
}

// wasKilled reports whether the executor manager of an execution was killed while
// it may have run. Of one that nobody knows it may have been any.
func (v Violence) wasKilled(before Execution, until time.Time) bool {
	for pod, kill := range v.Kills {
		if before.Node != "" && before.Node != pod || kill.At.After(until.Add(clocks)) {
			continue
		}
		if kill.Lingers && before.Node == pod || !kill.At.Before(before.At.Add(-clocks)) {
			return true
		}
	}
	return false
}
