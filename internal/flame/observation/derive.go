// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package observation

import (
	"cmp"
	"slices"
)

// Node returns the node of a name, if it is listed.
func (o Observation) Node(name string) (Node, bool) {
	i, found := slices.BinarySearchFunc(o.Nodes, name, func(n Node, name string) int { return cmp.Compare(n.Name, name) })
	if !found {
		return Node{}, false
	}
	return o.Nodes[i], true
}

// RunningBySession returns how many tasks of each listed session run.
func (o Observation) RunningBySession() map[string]int {
	running := make(map[string]int, len(o.Sessions))
	for _, s := range o.Sessions {
		running[s.ID] = s.Running
	}
	return running
}

// ExecutorsByNode returns the executors by the names of their nodes, listed or not.
func (o Observation) ExecutorsByNode() map[string][]Executor {
	byNode := map[string][]Executor{}
	for _, e := range o.Executors {
		byNode[e.Node] = append(byNode[e.Node], e)
	}
	return byNode
}

// Work is what is known of the task of an executor.
type Work string

// The values of Work.
const (
	// NoTask means that the executor has none.
	NoTask Work = "NoTask"
	// MayWait means that the executor serves a session, and may run a task or wait for one.
	// Unbinding the executor now may lose the session's next task.
	MayWait Work = "MayWait"
	// RunsTask means that the executor is Bound and runs a task.
	RunsTask Work = "RunsTask"
	// LeavesSession means that the executor is Unbinding: its task, if it has one yet, runs
	// to its end. Unbinding the executor again would orphan that task.
	LeavesSession Work = "LeavesSession"
)

// Work returns what is known of the tasks of all executors, by their IDs.
//
// Flame does not tell which executor runs a task; the counts do. When a session runs
// exactly as many tasks as it has executors that can run one (those that are Bound, and
// those that end their task in Unbinding), each of them runs one. If fewer tasks run, some
// executors wait and nobody knows which; if more run, a task is counted whose executor is
// gone. Pending tasks prove nothing: tasks that a dead node gives back do not wake an
// executor that waits already.
//
// Flame workaround: unbind-what-runs
func (o Observation) Work() map[string]Work {
	able := map[string]int{}
	for _, e := range o.Executors {
		if e.State == Bound || e.State == Unbinding {
			able[e.Session]++
		}
	}
	full := map[string]bool{}
	for _, s := range o.Sessions {
		full[s.ID] = s.Running == able[s.ID]
	}
	work := make(map[string]Work, len(o.Executors))
	for _, e := range o.Executors {
		switch {
		case e.State == Unbinding:
			work[e.ID] = LeavesSession
		case e.State != Bound:
			work[e.ID] = NoTask
		case full[e.Session]:
			work[e.ID] = RunsTask
		default:
			work[e.ID] = MayWait
		}
	}
	return work
}

// Load sums up what a session manager has to do.
type Load struct {
	// OpenSessions counts the sessions that take tasks, and PendingTasks the tasks that are
	// pending in them. Tasks that are pending in a closed session wait for nothing: Flame
	// puts them back with an executor that goes after its session manager was started anew.
	// RunningTasks counts the running tasks of all sessions.
	OpenSessions, PendingTasks, RunningTasks int
}

// Load returns the sums.
func (o Observation) Load() Load {
	var l Load
	for _, s := range o.Sessions {
		if s.Open {
			l.OpenSessions++
			l.PendingTasks += s.Pending
		}
		l.RunningTasks += s.Running
	}
	return l
}

// Busy reports whether an executor serves a session or is promised to one, so that a task
// may be lost or repeated when its node goes.
func (e Executor) Busy() bool { return e.State == Binding || e.State == Bound || e.State == Unbinding }
