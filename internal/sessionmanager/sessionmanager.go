// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package sessionmanager decides what happens to the one pod of a cluster's
// session manager.
//
// It is pure: the pod, what is wanted and the time go in, the next step comes
// out. There is never a second pod: it has a fixed name, and Flame's state has
// one writer.
//
// The one hard idea is the withdrawal. An executor manager that reconnects while
// the Service still sends it to the address of a pod that is gone hangs there
// for two minutes, and the cluster with it. So a pod that is to be replaced
// leaves its Service first, and is deleted when the nodes know: whoever
// reconnects then is refused, and tries again.
package sessionmanager

import (
	"time"

	"github.com/xflops/flame-operator/internal/backoff"
)

// withdrawal is how long the nodes are given to notice that a pod has left its
// Service. Nothing tells when they have.
//
// Flame workaround: withdraw-first
const withdrawal = 3 * time.Second

// Pod is what is known of the session manager's pod.
type Pod struct {
	// Hash is that of the template it was made from.
	Hash string
	// Terminating says that it was deleted and is on its way out.
	Terminating bool
	// Finished says that it will not run again, evicted or refused by its node.
	// Flame workaround: exit-code-zero
	// Whatever its exit code, a session manager that ends has failed.
	Finished bool
	Ready    bool
	// InService says that it carries the label that its Service selects.
	InService bool
	// WithdrawnAt is when it was taken out of its Service, as written on the pod.
	WithdrawnAt time.Time
	// CreatedAt, StartedAt and FinishedAt are when it was created, when its
	// container started, and when it finished.
	CreatedAt, StartedAt, FinishedAt time.Time
	// Failures is how many pods in a row failed before it.
	Failures int
}

// Action is what to do with the pod.
type Action string

// The actions.
const (
	// Keep leaves everything as it is.
	Keep Action = "Keep"
	// Create makes the pod, in its Service.
	Create Action = "Create"
	// Withdraw takes the pod out of its Service, and writes the time on it.
	Withdraw Action = "Withdraw"
	// Restore puts the pod back into its Service: the reason to replace it is gone.
	Restore Action = "Restore"
	// Delete deletes the pod; a later step creates it again if it is wanted.
	Delete Action = "Delete"
	// Recreate deletes the finished pod and creates it again in the same step, so
	// that the count of failures is not lost. The API server removes a finished
	// pod without any grace period.
	Recreate Action = "Recreate"
)

// Reason says why a step is taken.
type Reason string

// The reasons.
const (
	// Suspended clusters have no pods.
	Suspended Reason = "Suspended"
	// Absent pods are created.
	Absent Reason = "Absent"
	// UpToDate pods stay.
	UpToDate Reason = "UpToDate"
	// Outdated pods were made from another template than the wanted one.
	Outdated Reason = "Outdated"
	// Failed pods have finished.
	Failed Reason = "Failed"
	// Terminating pods have to be gone before there can be another.
	Terminating Reason = "Terminating"
)

// Step is the next thing to do.
type Step struct {
	Action Action
	Reason Reason
	// Failures is what a created pod inherits.
	Failures int
	// After is when to decide again. It is zero if no time makes a difference, but
	// only a change of the pod.
	After time.Duration
}

// Next returns the next step for a pod, which is nil only if it is proven not to
// exist.
//
// Flame workaround: one-session-manager
func Next(pod *Pod, hash string, suspended bool, now time.Time) Step {
	switch {
	case pod == nil && suspended:
		return Step{Action: Keep, Reason: Suspended}
	case pod == nil:
		return Step{Action: Create, Reason: Absent}
	case pod.Terminating:
		return Step{Action: Keep, Reason: Terminating}
	case suspended:
		return Step{Action: Delete, Reason: Suspended}
	case pod.Finished:
		return pod.afterFailure(hash, now)
	case pod.Hash != hash:
		return pod.outdated(now)
	case !pod.InService:
		return Step{Action: Restore, Reason: UpToDate}
	default:
		return Step{Action: Keep, Reason: UpToDate}
	}
}

// IsWithdrawn reports whether a pod works and was taken out of its Service.
func IsWithdrawn(pod *Pod) bool {
	return pod != nil && !pod.InService && !pod.Terminating && !pod.Finished
}

// HasLeft reports whether the nodes know that a pod has left its Service, so that
// nobody hangs when it goes.
func HasLeft(pod *Pod, now time.Time) bool {
	return IsWithdrawn(pod) && !pod.WithdrawnAt.IsZero() && now.Sub(pod.WithdrawnAt) >= withdrawal
}

// afterFailure replaces a finished pod at once if the user has changed something
// since, and after its back-off otherwise.
func (p *Pod) afterFailure(hash string, now time.Time) Step {
	if p.Hash != hash {
		return Step{Action: Recreate, Reason: Outdated}
	}
	failure := backoff.Failure{Inherited: p.Failures, CreatedAt: p.CreatedAt, StartedAt: p.StartedAt, FinishedAt: p.FinishedAt}
	if wait := failure.Wait(now); wait > 0 {
		return Step{Action: Keep, Reason: Failed, After: wait}
	}
	return Step{Action: Recreate, Reason: Failed, Failures: failure.Count()}
}

// outdated takes a pod out of its Service, waits, and deletes it. One that is
// not ready is in no Service and serves nobody.
func (p *Pod) outdated(now time.Time) Step {
	waited := now.Sub(p.WithdrawnAt)
	switch {
	case !p.Ready:
		return Step{Action: Delete, Reason: Outdated}
	// A withdrawal without a time, or one in the future, is done again.
	case p.InService || p.WithdrawnAt.IsZero() || waited < -withdrawal:
		return Step{Action: Withdraw, Reason: Outdated, After: withdrawal}
	case waited < withdrawal:
		return Step{Action: Keep, Reason: Outdated, After: min(withdrawal, withdrawal-waited)}
	default:
		return Step{Action: Delete, Reason: Outdated}
	}
}
