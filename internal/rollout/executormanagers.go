// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"slices"
	"time"

	"github.com/xflops/flame-operator/internal/flame/action"
	"github.com/xflops/flame-operator/internal/podstate"
)

// ExecutorManager is what is known of one executor manager pod.
type ExecutorManager struct {
	podstate.Pod
	// LostSince is set on a pod that runs and is of no more use: Flame has given up its
	// node or forgotten its executors, for instance, or the pod is cut off from the
	// session manager. Such a pod is replaced as if it had finished.
	LostSince time.Time
	// Useless says that the tasks of a lost pod have been given to others already, so
	// that nothing is gained by waiting for them.
	Useless bool
	// Work is what Flame says that the pod does.
	Work Work
}

// Policy is what a plan works towards, and the limits that it keeps to.
type Policy struct {
	// Desired is how many pods there should be.
	Desired int
	// Suspended clusters have no pods, and wait for no task.
	Suspended bool
	// Hash is the hash of the template from which pods should be made.
	Hash string
	// MaxSurge is how many pods more than desired may live during a roll, and
	// MaxUnavailable is how many fewer than desired may be ready because of the roll. At
	// least one of the two is not zero.
	MaxSurge, MaxUnavailable int
	// MaxPerStep bounds the creations of one plan; zero means no bound.
	MaxPerStep int
}

// Reason explains why a pod goes, or what the plan waits for.
type Reason string

// Reasons of deletions and steps.
const (
	// Suspended clusters have no pods.
	Suspended Reason = "Suspended"
	// ScaledDown pods exceed the desired number.
	ScaledDown Reason = "ScaledDown"
	// Outdated pods were made from another template than the wanted one.
	Outdated Reason = "Outdated"
	// Absent session managers are created, UpToDate ones stay, and Failed ones have
	// finished.
	Absent   Reason = "Absent"
	UpToDate Reason = "UpToDate"
	Failed   Reason = "Failed"
	// Lost pods drain, but need no more time, since nothing is gained by waiting for
	// their tasks.
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
	// Terminating waits for deleted pods to be gone; a session manager has to be gone
	// before there can be another.
	Terminating Reason = "Terminating"
	// Unobserved waits for Flame to say what pods do before they go.
	Unobserved Reason = "Unobserved"
	// Settling waits for a second observation of pods that seem to do nothing.
	Settling Reason = "Settling"
	// Cordoning waits for Flame to have forgotten the nodes of pods that are to go.
	Cordoning Reason = "Cordoning"
)

// Deletion is a pod to delete.
type Deletion struct {
	Name   string
	Reason Reason
	// Now says that the pod's tasks are not waited for.
	Now bool
}

// Wait is something that the plan waits for.
type Wait struct {
	Reason Reason
	// Count is how many pods are concerned.
	Count int
	// For is the time until the next decision, and zero if only a change of the pods can
	// make a difference.
	For time.Duration
}

// Plan is what to do now: first all deletions except those of replaced pods, then the
// creations, then the deletions of replaced pods.
type Plan struct {
	// Create has an element for each pod to create from the wanted template: the number
	// of failures that the pod inherits.
	Create []int
	Delete []Deletion
	// Cordon names pods whose nodes Flame has to forget before they are deleted.
	Cordon []string
	Wait   []Wait
}

// Actions returns what Flame has to do before the plan's deletions.
func (p Plan) Actions() []action.Action {
	actions := make([]action.Action, len(p.Cordon))
	for i, name := range p.Cordon {
		actions[i] = action.Action{Verb: action.Cordon, Target: name}
	}
	return actions
}

// Waits reports whether the plan waits for a reason.
func (p Plan) Waits(reason Reason) bool {
	return slices.ContainsFunc(p.Wait, func(w Wait) bool { return w.Reason == reason })
}

// After returns the time until the next decision, the shortest of the waits, and zero if
// only a change of the pods can make a difference.
func (p Plan) After() time.Duration {
	var after time.Duration
	for _, wait := range p.Wait {
		if wait.For > 0 && (after == 0 || wait.For < after) {
			after = wait.For
		}
	}
	return after
}
