// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"time"

	"github.com/xflops/flame-operator/internal/podstate"
)

// executorManagers counts the executor managers of a cluster.
type executorManagers struct {
	desired, live, ready int32
	// current counts the live executor managers of the current spec, of which updated are
	// ready.
	current, updated int32
	// finished counts the executor managers that ended and wait to be replaced. failing
	// counts those that will not become ready by waiting, of which updatedFailing are of
	// the current spec.
	finished, failing, updatedFailing int32
	// draining counts the executor managers that were deleted and have time left for their
	// tasks, until drainsUntil at the latest.
	draining    int32
	drainsUntil time.Time
	// worst is the health of the executor manager that a user should know of first.
	worst podstate.Health
}

func countExecutorManagers(f Facts) executorManagers {
	e := executorManagers{desired: f.desired()}
	for _, pod := range f.ExecutorManagers {
		if pod.Terminating {
			e.countTerminating(pod, f.Now)
			continue
		}
		h := pod.Health
		e.count(h, pod.Finished(), pod.Hash == f.ExecutorManagerHash)
		if h.Severity() > e.worst.Severity() || h.Severity() == e.worst.Severity() && h.Message < e.worst.Message {
			e.worst = h
		}
	}
	return e
}

func (e *executorManagers) countTerminating(pod podstate.Pod, now time.Time) {
	if pod.Finished() || !pod.Scheduled || !pod.DrainsUntil.After(now) {
		return
	}
	e.draining++
	if pod.DrainsUntil.After(e.drainsUntil) {
		e.drainsUntil = pod.DrainsUntil
	}
}

func (e *executorManagers) count(h podstate.Health, finished, updated bool) {
	switch {
	case finished:
		e.finished++
	default:
		e.live++
		if updated {
			e.current++
		}
	}
	if h.Ready() {
		e.ready++
		if updated {
			e.updated++
		}
	}
	if h.Failed() {
		e.failing++
		if updated {
			e.updatedFailing++
		}
	}
}

// allFail reports whether executor managers are wanted and every existing one fails.
func (e executorManagers) allFail() bool {
	return e.desired > 0 && e.failing > 0 && e.failing == e.live+e.finished
}

// outdated returns the number of live executor managers of another spec than the current one.
func (e executorManagers) outdated() int32 { return e.live - e.current }

// summary returns the message about the executor managers: how many are ready, and what
// keeps another one from being ready.
func (e executorManagers) summary() string {
	text := fmt.Sprintf("%d of %d executor managers are ready", e.ready, e.desired)
	if e.ready < e.desired && e.worst.Severity() > 0 {
		text += ": one " + e.worst.Message
	}
	return text
}

// desired returns the number of executor managers that are wanted. Where nothing can be
// decided, the number before stands.
func (f Facts) desired() int32 {
	if f.nothingRuns() && !f.Cluster.Spec.Suspend {
		return f.Cluster.Status.ExecutorManager.Desired
	}
	return int32(f.Desired)
}

// TurnsAfter returns the time after which a status computed from the facts would differ
// although nothing has changed: the time of a draining executor manager is over. TurnsAfter
// returns zero if only a change makes a difference.
func (f Facts) TurnsAfter() time.Duration {
	var next time.Duration
	for _, pod := range f.ExecutorManagers {
		if left := pod.DrainsUntil.Sub(f.Now); pod.Terminating && left > 0 && (next == 0 || left < next) {
			next = left
		}
	}
	return next
}
