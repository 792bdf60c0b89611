// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"time"

	"github.com/xflops/flame-operator/internal/podstate"
)

// withdrawal is how long the nodes are given to notice that a pod has left its Service.
// Nothing tells when the nodes have noticed.
//
// Flame workaround: withdraw-first
const withdrawal = 3 * time.Second

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
	// Restore puts the pod back into its Service, because the reason to replace it is gone.
	Restore Action = "Restore"
	// Delete deletes the pod; a later step creates it again if it is wanted.
	Delete Action = "Delete"
	// Recreate deletes the finished pod and creates it again in the same step, so
	// that the count of failures is not lost. The API server removes a finished
	// pod without any grace period.
	Recreate Action = "Recreate"
)

// Step is the next thing to do.
type Step struct {
	Action Action
	Reason Reason
	// Failures is what a created pod inherits.
	Failures int
	// After is the time until the next decision, and zero if only a change of the pod can
	// make a difference.
	After time.Duration
}

// NextStep returns the next step for a session manager. The pod may be nil only if it is
// proven not to exist.
//
// Flame workaround: one-session-manager
func NextStep(pod *podstate.Pod, hash string, suspended bool, now time.Time) Step {
	switch {
	case pod == nil && suspended:
		return Step{Action: Keep, Reason: Suspended}
	case pod == nil:
		return Step{Action: Create, Reason: Absent}
	case pod.Terminating:
		return Step{Action: Keep, Reason: Terminating}
	case suspended:
		return Step{Action: Delete, Reason: Suspended}
	case pod.Over:
		return afterFailure(pod, hash, now)
	case pod.Hash != hash:
		return outdatedSessionManager(pod, now)
	case !pod.InService:
		return Step{Action: Restore, Reason: UpToDate}
	default:
		return Step{Action: Keep, Reason: UpToDate}
	}
}

// Held returns the hash that a session manager is to have while its storage goes with its
// pod: the one that it has, so that no replacement is planned, and one that has begun ends.
// A pod that is over serves nobody, and is replaced as ever.
func Held(pod *podstate.Pod, hash string) string {
	if pod == nil || pod.Over {
		return hash
	}
	return pod.Hash
}

// IsWithdrawn reports whether a pod works and was taken out of its Service.
func IsWithdrawn(pod *podstate.Pod) bool {
	return pod != nil && !pod.InService && !pod.Terminating && !pod.Over
}

// LeftAt returns the time at which a session manager that is being replaced left its
// Service, or was deleted without leaving it, and zero if neither has happened.
//
// The time is read from the pod, so that an operator that starts anew does not take an
// old replacement for one that has just begun. The condition SessionManagerReady would
// not do, since it may have become False long before.
func LeftAt(pod *podstate.Pod) time.Time {
	if !pod.InService && !pod.WithdrawnAt.IsZero() {
		return pod.WithdrawnAt
	}
	return pod.DeletedAt
}

// HasLeft reports whether the nodes have had the time to notice that a pod has left its
// Service, so that no executor manager hangs when the pod goes.
func HasLeft(pod *podstate.Pod, now time.Time) bool {
	return IsWithdrawn(pod) && !pod.WithdrawnAt.IsZero() && now.Sub(pod.WithdrawnAt) >= withdrawal
}

// Leaving is what is remembered of how a session manager leaves.
type Leaving struct {
	// Known says that the session manager was seen, and InTime that it had left its
	// Service in time when it was last seen before its deletion.
	Known, InTime bool
}

// Seen returns what is known after a look at the pod, if there is one. An operator that
// starts while the pod is being deleted decides by the time of the deletion, which the
// API server knows to the second. An operator that starts after that assumes that the pod
// had not left in time.
func (l Leaving) Seen(pod *podstate.Pod, now time.Time) Leaving {
	switch {
	case pod == nil || pod.Terminating && l.Known:
		return l
	case !pod.Terminating:
		return Leaving{Known: true, InTime: HasLeft(pod, now)}
	}
	before := *pod
	before.Terminating = false
	return Leaving{Known: true, InTime: HasLeft(&before, pod.DeletedAt.Add(time.Second))}
}

// afterFailure replaces a finished pod at once if the user has changed something
// since, and after its back-off otherwise.
func afterFailure(p *podstate.Pod, hash string, now time.Time) Step {
	if p.Hash != hash {
		return Step{Action: Recreate, Reason: Outdated}
	}
	failure := Failure{Inherited: p.Failures, CreatedAt: p.CreatedAt, StartedAt: p.StartedAt, FinishedAt: p.FinishedAt}
	if wait := failure.Wait(now); wait > 0 {
		return Step{Action: Keep, Reason: Failed, After: wait}
	}
	return Step{Action: Recreate, Reason: Failed, Failures: failure.Count()}
}

// outdatedSessionManager takes a pod out of its Service, waits, and deletes the pod. A
// pod that is not ready gets no connections from its Service, and is deleted at once.
func outdatedSessionManager(p *podstate.Pod, now time.Time) Step {
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
