// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package observation holds what a session manager says of itself, as plain
// values, and what follows from it.
//
// The package is pure, and knows nothing of gRPC: internal/flame makes the values, and
// planners and reports read them. The one hard idea: Flame gives no times for what its
// nodes and executors do, so Track remembers since when each has been seen as it is, and
// Latest keeps the last word while Flame is silent.
package observation

import "time"

// Resources is an amount of resources, comparable with ==.
type Resources struct {
	// CPU is in whole CPUs, Memory in bytes, GPU in whole GPUs.
	CPU, Memory, GPU int64
}

// Observation is what a session manager listed. The lists are not of one moment:
// sessions come first, then executors, then nodes, so an executor's node is
// missing only if Flame has forgotten it.
type Observation struct {
	// At is the time just before the first list was asked for, by the clock of the
	// operator: whatever was done before At is in the lists.
	At time.Time
	// Sessions are all that Flame still holds, sorted by ID. Observers leave out closed
	// sessions in which no task runs; Ended is how many tasks have ended in these.
	Sessions []Session
	Ended    int
	// Executors are sorted by ID.
	Executors []Executor
	// Nodes are sorted by name.
	Nodes []Node
}

// Session is a queue of tasks of one application.
type Session struct {
	ID, Application string
	// Open says that the session takes tasks and is scheduled.
	Open bool
	// Priority is higher for sessions that go first.
	Priority int
	// CreatedAt is in whole seconds, by the clock of the session manager.
	CreatedAt time.Time
	// Pending and Running count the tasks of now, the others those that have ended.
	Pending, Running, Succeeded, Failed, Cancelled int
	// MinInstances and MaxInstances bound the executors. Without a maximum MaxInstances is
	// nil.
	MinInstances int
	MaxInstances *int
	// BatchSize is how many executors Flame 0.6.0 allocates together, at least 1. Later
	// versions take any size for 1.
	BatchSize int
	// Resreq is the size of each executor, and nil if Flame does not tell; the size is the
	// cluster's slot then.
	Resreq *Resources
	// BindFailures counts the bindings that failed (event 1001), since the
	// session was made.
	BindFailures int
	// BlockedAt is when the retry limit was reached last (event 1002), in whole seconds by
	// the clock of the session manager, and zero if never. A session that reached the limit
	// gets no executors until the session manager starts anew.
	BlockedAt time.Time
	// BlockedWhy is the reason that Flame gave for the binding that failed last, without
	// what differs from try to try, and empty if the limit was never reached.
	BlockedWhy string
}

// Blocked reports whether a session gets no more executors because too many bindings
// failed. The event outlives a restart of the session manager and the block does not, so
// Blocked takes the time at which the session manager started. Flame does not tell that
// time; the status of the container does.
func (s Session) Blocked(started time.Time) bool { return s.BlockedAt.After(started) }

// ExecutorState is where an executor is in its life.
type ExecutorState string

// The states of an executor.
const (
	// Void means that the session manager made the executor and the node has not taken it
	// yet. On a dead node an executor stays Void and starves its session.
	Void ExecutorState = "Void"
	// Idle means that the executor serves no session.
	Idle ExecutorState = "Idle"
	// Binding means that the executor is promised to a session whose instance starts.
	Binding ExecutorState = "Binding"
	// Bound means that the executor serves a session: a task runs, or the executor waits
	// for one.
	Bound ExecutorState = "Bound"
	// Unbinding means that the executor leaves its session, once its task has ended.
	Unbinding ExecutorState = "Unbinding"
	// Releasing means that the executor leaves its node.
	Releasing ExecutorState = "Releasing"
	// Released means that the executor has left.
	Released ExecutorState = "Released"
	// UnknownState is whatever a later version of Flame may add.
	UnknownState ExecutorState = "Unknown"
)

// Executor is a place on a node that runs one task at a time.
type Executor struct {
	ID string
	// Node is the name of its executor manager's pod.
	Node  string
	State ExecutorState
	// Session is the ID of the session that the executor serves or is promised to, if any.
	// Flame does not tell which task the executor runs, nor whether it runs one.
	Session string
	// Resreq is what the executor takes of its node.
	Resreq Resources
}

// NodeState is what the session manager thinks of an executor manager.
type NodeState string

// The states of a node.
const (
	// Ready means that the node has registered, and not that a connection stands: after a
	// restart of the session manager all nodes are as they were.
	Ready NodeState = "Ready"
	// Unknown means that the stream of the node has ended and the node has 30 s to come
	// back, if the session manager has not been started anew since.
	Unknown NodeState = "Unknown"
	// NotReady means that the node did not come back; its executors are gone.
	NotReady NodeState = "NotReady"
	// Absent is the state of a node that no list shows, but an executor names.
	Absent NodeState = "Absent"
)

// Node is an executor manager as the session manager sees it.
type Node struct {
	// Name is the host name, which is the name of the pod.
	Name  string
	State NodeState
	// Capacity is what the node has. Allocatable is what its executors may use together,
	// used or not.
	Capacity, Allocatable Resources
	// Arch and OS describe the machine.
	Arch, OS string
}

// Fenced reports whether a node has nothing to give while it drains, which is how a fence
// leaves it. A node that lives has a CPU at least.
func (n Node) Fenced() bool { return n.State == Unknown && n.Allocatable == Resources{} }

// Silent reports whether a Ready node has nothing to give, which is how a challenge leaves
// it until its process says what it has.
func (n Node) Silent() bool { return n.State == Ready && n.Allocatable == Resources{} }
