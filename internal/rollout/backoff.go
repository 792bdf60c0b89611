// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package rollout

import "time"

const (
	first   = 10 * time.Second
	longest = 5 * time.Minute
	// healthy is how long a pod has to run for the count of failures to start anew.
	healthy = 10 * time.Minute
)

// Failure is what is known of a pod that finished. All of these facts are read from the
// failed pod itself, so that a restarted operator goes on where the last one stopped.
type Failure struct {
	// Inherited is how many pods in a row failed in the pod's place before it.
	Inherited int
	// CreatedAt is the time at which the pod was created, and StartedAt the time at which
	// its container started. A pod that was refused by its node has no StartedAt.
	CreatedAt, StartedAt time.Time
	// FinishedAt is the time at which the pod finished, and zero if that is unknown.
	FinishedAt time.Time
}

// Count returns how many pods in a row have failed now, which is what the
// replacement inherits.
func (f Failure) Count() int { return f.inherited() + 1 }

// Wait returns how long the replacement still has to wait; zero or less means that it may
// be created.
func (f Failure) Wait(now time.Time) time.Duration {
	delay := Delay(f.inherited())
	since := f.FinishedAt
	if since.IsZero() {
		since = f.CreatedAt
	}
	// A node's clock that is fast must not lengthen the wait.
	return min(delay, since.Add(delay).Sub(now))
}

// inherited returns the number of earlier failures. The number is zero for a pod that ran
// long enough to have worked: the pod could not have passed its startup probe otherwise.
func (f Failure) inherited() int {
	if !f.StartedAt.IsZero() && f.FinishedAt.Sub(f.StartedAt) >= healthy {
		return 0
	}
	return max(0, f.Inherited)
}

// Delay returns how long to wait after a failure that was preceded by the given number of
// failures: not at all after the first, then 10 s, 20 s and so on up to 5 minutes.
func Delay(failures int) time.Duration {
	if failures <= 0 {
		return 0
	}
	delay := first
	for range failures - 1 {
		if delay >= longest {
			break
		}
		delay *= 2
	}
	return min(delay, longest)
}
