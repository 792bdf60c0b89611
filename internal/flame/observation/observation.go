// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package observation holds what a session manager says of itself, as plain
// values, and what follows from it.
//
// It is pure, and knows nothing of gRPC: internal/flame makes the values, and
// whoever plans or reports reads them. The one hard idea: Flame gives no times
// for what its nodes and executors do, so Track remembers since when each has
// been seen as it is, and Latest keeps the last word while Flame is silent.
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
	// At is the time just before the first list was asked for, by the clock of
	// the operator: whatever was done before it is in the lists.
	At time.Time
	// Sessions are all that Flame still holds, sorted by ID. Observers leave out closed
	// ones in which no task runs; Ended is how many tasks have ended in these.
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
	// Open says that it takes tasks and is scheduled.
	Open bool
	// Priority is higher for what goes first.
	Priority int
	// CreatedAt is in whole seconds, by the clock of the session manager.
	CreatedAt time.Time
	// Pending and Running count its tasks of now, the others those that ended.
	Pending, Running, Succeeded, Failed, Cancelled int
	// MinInstances and MaxInstances bound its executors. Without a maximum it is nil.
	MinInstances int
	MaxInstances *int
	// BatchSize is how many executors Flame 0.6.0 allocates together, at least 1.
	// Later versions take it for 1.
	BatchSize int
	// Resreq is the size of each of its executors. It is nil if Flame does not
	// tell; then it is the cluster's slot.
	Resreq *Resources
	// BindFailures counts the bindings that failed (event 1001), since the
	// session was made.
	BindFailures int
	// BlockedAt is when its retry limit was reached last (event 1002), in whole
	// seconds by the clock of the session manager, and zero if never. It gets no
	// executors from then on until the session manager starts anew.
	BlockedAt time.Time
}

// Blocked says whether a session gets no more executors because too many
// bindings failed. The event outlives a restart of the session manager and the
// block does not, so it takes the time at which the session manager started,
// which Flame does not tell and its container's status does.
func (s Session) Blocked(started time.Time) bool { return s.BlockedAt.After(started) }

// ExecutorState is where an executor is in its life.
type ExecutorState string

// The states of an executor.
const (
	// Void means that the session manager made it and its node has not taken it
	// yet. On a dead node it stays so and starves its session.
	Void ExecutorState = "Void"
	// Idle means that it serves no session.
	Idle ExecutorState = "Idle"
	// Binding means that it is promised to a session whose instance starts.
	Binding ExecutorState = "Binding"
	// Bound means that it serves a session: a task runs, or it waits for one.
	Bound ExecutorState = "Bound"
	// Unbinding means that it leaves its session, once its task has ended.
	Unbinding ExecutorState = "Unbinding"
	// Releasing means that it leaves its node.
	Releasing ExecutorState = "Releasing"
	// Released means that it has left.
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
	// Session is the ID of the session that it serves or is promised to, if any.
	// Flame does not tell which task it runs, nor whether it runs one.
	Session string
	// Resreq is what it takes of its node.
	Resreq Resources
}

// NodeState is what the session manager thinks of an executor manager.
type NodeState string

// The states of a node.
const (
	// Ready means that it has registered. It does not say that a connection
	// stands: after a restart of the session manager all nodes are as they were.
	Ready NodeState = "Ready"
	// Unknown means that its stream has ended and it has 30 s to come back, if
	// the session manager has not been started anew since.
	Unknown NodeState = "Unknown"
	// NotReady means that it did not come back; its executors are gone.
	NotReady NodeState = "NotReady"
	// Absent is the state of a node that no list shows, but an executor names.
	Absent NodeState = "Absent"
)

// Node is an executor manager as the session manager sees it.
type Node struct {
	// Name is its host name, which is its pod's name.
	Name  string
	State NodeState
	// Capacity is what it has. Allocatable is what its executors may use
	// together, used or not.
	Capacity, Allocatable Resources
	// Arch and OS describe its machine.
	Arch, OS string
}

// Fenced says whether a node has nothing to give while it drains, which is how
// a fence leaves it. A node that lives has a CPU at least.
func (n Node) Fenced() bool { return n.State == Unknown && n.Allocatable == Resources{} }

// Silent says whether a Ready node has nothing to give, which is how a challenge
// leaves it until its process says what it has.
func (n Node) Silent() bool { return n.State == Ready && n.Allocatable == Resources{} }
