// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package autoscale decides how many executor managers a load needs.
//
// Decisions are pure arithmetic: what Flame says, bounds, the decision before and the time
// go in; a decision with what the next one has to remember comes out. The package remembers
// nothing itself.
//
// The rule:
//
//	needed  = executor managers that hold an executor of a session
//	        + those that the executors which sessions lack fill besides
//	desired = the most that was needed within the delay, within the bounds
//
// A session lacks what Flame's scheduler would give it if there were room, less what it
// has. An executor that a session has is no room for another session, even if it only waits
// for its own session's next task: Flame keeps it there for a minute. So the executors that
// are lacking go into what is left of executor managers, the largest first, and into new
// ones.
//
// The one hard idea is the memory. "The most that was needed within the delay" wants a
// history. The history is kept as peaks, which are the larger numbers that were needed and
// when they ended. While the load stays the same there are none, and nothing has to be
// written.
package autoscale

import (
	"time"

	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
)

// Policy is the order in which Flame serves sessions.
type Policy string

// The policies. Flame loads drf with either.
const (
	Priority Policy = "priority"
	DRF      Policy = "drf"
)

// Flame is what the decision has to know of the session manager.
type Flame struct {
	Policy Policy
	// Gang is true for 0.6.0, which serves sessions in whole batches.
	Gang bool
	// Started is when the session manager started: a session that was blocked before is
	// blocked no more.
	Started time.Time
	// Slot is the size of executors of sessions that ask for no other.
	Slot observation.Resources
	// Shape is the room of a new executor manager as Flame will see it: the CPU limit
	// rounded up, and the GPUs. The memory is not told here, since Flame never sees the
	// pod's limit but the host's memory, which nodes tell. The number of executors in a pod
	// is bounded by its CPUs.
	Shape observation.Resources
}

// Bounds is what the user asked for.
type Bounds struct {
	// Min and Max bound the number of executor managers.
	Min, Max int
	// Delay is how long fewer have to be needed before the number falls.
	Delay time.Duration
	// MaxStarting bounds the executor managers that are not ready because of a scale-up; 0
	// is no bound.
	MaxStarting int
}

// Input is what a decision depends on.
type Input struct {
	// Observation is what Flame says, and nil while Flame is silent. Decide only reads it.
	Observation *observation.Observation
	// Pods are the executor managers. A pod that has ended or been told to end does not
	// count.
	Pods   []podstate.Pod
	Flame  Flame
	Bounds Bounds
	// Start is the number to start from when there is no Previous: the spec's
	// replicas for a new cluster, or else the number of pods.
	Start int
	// Previous is the Memory of the decision before, or nil.
	Previous *Memory
	Now      time.Time
}

// Memory is what a decision leaves for the next one. All times are whole seconds, which is
// what a status holds.
type Memory struct {
	// Desired is what was decided, and Needed is what the load needed within the bounds.
	Desired, Needed int
	// ScaledAt is when Desired changed last; zero if it never did.
	ScaledAt time.Time
	// Peaks are the larger numbers that were needed within the delay, the largest and
	// oldest first, and at most MaxPeaks of them.
	Peaks []Peak
}

// Peak is a number of executor managers that was needed for a time.
type Peak struct {
	Replicas int
	// EndedAt is when fewer were needed.
	EndedAt time.Time
}

// MaxPeaks bounds the peaks that are remembered. If there are more, the two that ended
// closest together are taken for one: the larger, which lasts as long as both.
const MaxPeaks = 8

// Reason says why Decision.Desired is what it is.
type Reason string

// The reasons. When several hold, the first of them is told.
const (
	// FlameSilent: nobody knows the load, so the last decision stands, within the bounds.
	FlameSilent Reason = "FlameSilent"
	// Unschedulable: sessions ask for executors that no executor manager has room for; the
	// number follows the rest of the load.
	Unschedulable Reason = "Unschedulable"
	// AtMaximum: more are needed than Max.
	AtMaximum Reason = "AtMaximum"
	// ScaleUpLimited: MaxStarting are starting, and more follow.
	ScaleUpLimited Reason = "ScaleUpLimited"
	// ScaleDownDelay: fewer are needed, but have not been for Delay.
	ScaleDownDelay Reason = "ScaleDownDelay"
	// AtMinimum: fewer are needed than Min.
	AtMinimum Reason = "AtMinimum"
	// FollowingLoad: as many as are needed.
	FollowingLoad Reason = "FollowingLoad"
)

// Unfit is a kind of executor that no executor manager has room for.
type Unfit struct {
	Request observation.Resources
	// Batch is the batch that is too large for Max executor managers, or 0 if not
	// even one executor fits.
	Batch int
	// Sessions counts the sessions that ask for such executors.
	Sessions int
}

// Decision is how many executor managers there should be.
type Decision struct {
	Desired int
	Reason  Reason
	// Message explains the decision to a user, and changes only with what it says.
	Message string
	// Memory is the Previous of the next decision.
	Memory Memory
	// Unfit lists the executors that no executor manager has room for, the largest first.
	Unfit []Unfit
	// After is how long it takes until time alone changes the decision; 0 if it never does.
	After time.Duration
}
