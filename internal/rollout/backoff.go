// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package rollout

import "time"

const (
	first   = 10 * time.Second
	longest = 5 * time.Minute
	// healthy is how long a pod has to run for its failure to be a new story.
	healthy = 10 * time.Minute
)

// Failure is what is known of a pod that finished. All of it stands in the failed pod
// itself, so that an operator that was restarted goes on where the last one stopped.
type Failure struct {
	// Inherited is how many pods in a row failed in its place before it.
	Inherited int
	// CreatedAt is when the pod was created, StartedAt when its container started.
	// A pod that was refused by its node has no StartedAt.
	CreatedAt, StartedAt time.Time
	// FinishedAt is when it finished, and zero if nobody knows.
	FinishedAt time.Time
}

// Count returns how many pods in a row have failed now, which is what the
// replacement inherits.
func (f Failure) Count() int { return f.inherited() + 1 }

// Wait returns how long the replacement has to wait yet; nothing or less means
// that it may be created.
func (f Failure) Wait(now time.Time) time.Duration {
	delay := Delay(f.inherited())
	since := f.FinishedAt
	if since.IsZero() {
		since = f.CreatedAt
	}
	// A clock that runs ahead of ours must not lengthen the wait.
	return min(delay, since.Add(delay).Sub(now))
}

// inherited is zero for a pod that ran long enough to have worked: it could not
// have passed its startup probe otherwise.
func (f Failure) inherited() int {
	if !f.StartedAt.IsZero() && f.FinishedAt.Sub(f.StartedAt) >= healthy {
		return 0
	}
	return max(0, f.Inherited)
}

// Delay returns how long to wait after a failure that this many failures
// preceded: not at all at first, then 10 s, 20 s and so on up to 5 minutes.
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
