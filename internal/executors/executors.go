// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package executors decides which executor manager pods to create and which to
// delete.
//
// It is pure: pods, a policy and the time go in, a plan comes out. It must not
// know Kubernetes, and it remembers nothing from one call to the next: all state
// is in the pods, so that a plan that was carried out in part, by an operator
// that is gone, is simply decided anew.
//
// Two ideas are hard. The first is the place. A cluster has as many places as
// executor managers are desired, and some more while a roll is under way. A pod
// that finished is evidence: it keeps its place, its logs and the count of
// failures until the back-off is over and its replacement takes the place. That
// is what keeps a crash loop slow, and a broken template from taking over a fleet.
//
// The second is how a pod leaves. One that never worked is deleted. One without
// an executor is cordoned first: Flame is told to forget its node, and only when
// it has, and the pod still holds nothing, is it deleted. One with executors is
// deleted and drains: its preStop hook keeps it until its tasks have ended. One
// of which Flame has said nothing lately stays, whatever is wanted.
package executors

import (
	"slices"
	"time"
)

// Pod is what is known of one executor manager pod.
type Pod struct {
	Name string
	// Hash is that of the template it was made from.
	Hash      string
	CreatedAt time.Time
	// StartedAt is when its executor manager started, after the init containers.
	StartedAt time.Time
	// ReadySince is set while it is ready.
	ReadySince time.Time
	// FinishedAt is set once it finished, if that is known.
	FinishedAt time.Time
	// Scheduled says that it has a node.
	Scheduled bool
	Ready     bool
	// Connected says that it has been ready at some time. While the session manager
	// is away no pod is ready, and those that were go on with their tasks.
	Connected bool
	// Finished says that it will not run again, whatever its exit code: an
	// executor manager that ends has failed.
	Finished bool
	// Terminating says that it was deleted and is on its way out, and DrainsUntil
	// when its grace period ends, in which it may finish its tasks.
	Terminating bool
	DrainsUntil time.Time
	// LostSince is set on a pod that runs and is of no use any more: Flame has
	// given up its node or forgotten its executors, or it is cut off from the
	// session manager. It is replaced as if it had finished.
	LostSince time.Time
	// Useless says of a lost pod that its tasks have been given to others already,
	// so that nothing is gained by waiting for them.
	Useless bool
	// Work is what Flame says of it.
	Work Work
	// Failures is how many pods in a row failed in its place before it.
	Failures int
}

// Work is what Flame says that a pod does.
type Work struct {
	// Known says that Flame was asked lately. Nothing else counts if it was not.
	Known bool
	// Executors is how many executors the pod holds, in any state, and Busy how
	// many of them surely run a task.
	Executors, Busy int
	// Idle says that the last two observations showed no executor on it.
	Idle bool
	// Cordoned says that Flame does not list its node, so that it gets no executor.
	Cordoned bool
}

// Policy is what the user asked for.
type Policy struct {
	// Desired is how many pods there should be.
	Desired int
	// Suspended clusters have no pods, and wait for no task.
	Suspended bool
	// Hash is that of the template they should be made from.
	Hash string
	// MaxSurge is how many pods more than desired may live during a roll, and
	// MaxUnavailable how many fewer than desired may be ready because of it. They
	// are not both zero.
	MaxSurge, MaxUnavailable int
	// MaxPerStep bounds the creations of one plan; zero means no bound.
	MaxPerStep int
}

// Reason says why a pod goes or what is waited for.
type Reason string

// Reasons of deletions.
const (
	// Suspended pods belong to a cluster that is suspended.
	Suspended Reason = "Suspended"
	// ScaledDown pods are more than are desired.
	ScaledDown Reason = "ScaledDown"
	// Outdated pods were made from another template than the wanted one.
	Outdated Reason = "Outdated"
	// Lost pods drain, and their tasks have been given to others meanwhile.
	Lost Reason = "Lost"
	// Replaced pods have finished or are lost, and a creation of the same plan takes their
	// place: they go after that creation, and stay if it fails.
	Replaced Reason = "Replaced"
)

// Reasons of waits.
const (
	// BackOff waits before failed pods are replaced.
	BackOff Reason = "BackOff"
	// MoreToCreate waits for other clusters to have their turn.
	MoreToCreate Reason = "MoreToCreate"
	// NotEnoughReady waits for pods to become ready before outdated ones go.
	NotEnoughReady Reason = "NotEnoughReady"
	// Terminating waits for deleted pods to be gone.
	Terminating Reason = "Terminating"
	// Unobserved waits for Flame to say what pods do before they go.
	Unobserved Reason = "Unobserved"
	// Settling waits for a second observation of pods that seem to do nothing.
	Settling Reason = "Settling"
	// Cordoning waits for Flame to have forgotten the nodes of pods that are to go.
	Cordoning Reason = "Cordoning"
)

// Creation is a pod to create from the wanted template.
type Creation struct {
	// Failures is what it inherits.
	Failures int
}

// Deletion is a pod to delete.
type Deletion struct {
	Name   string
	Reason Reason
	// Now says not to wait for the pod's tasks.
	Now bool
}

// Wait is something that the plan waits for.
type Wait struct {
	Reason Reason
	// Count is how many pods are concerned.
	Count int
	// For is when to decide again. It is zero if no time makes a difference, but
	// only a change of the pods.
	For time.Duration
}

// Plan is what to do now: the deletions but for replaced pods, then the
// creations, then the deletions of replaced pods.
type Plan struct {
	Create []Creation
	Delete []Deletion
	// Cordon names pods whose nodes Flame has to forget before they are deleted.
	Cordon []string
	Wait   []Wait
}

// Waits reports whether something waits for a reason.
func (p Plan) Waits(reason Reason) bool {
	return slices.ContainsFunc(p.Wait, func(w Wait) bool { return w.Reason == reason })
}

// After returns when to decide again, the soonest of the waits; zero if only a
// change of the pods can make a difference.
func (p Plan) After() time.Duration {
	var after time.Duration
	for _, wait := range p.Wait {
		if wait.For > 0 && (after == 0 || wait.For < after) {
			after = wait.For
		}
	}
	return after
}
