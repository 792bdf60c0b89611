// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import "time"

const (
	// Calm is the time between two observations of a cluster in which nothing is
	// under way.
	Calm = 10 * time.Second
	// Urgent is the time while something is: a drain, a pod that has just gone or
	// connected.
	Urgent = time.Second
	// longest is the longest pause that failures and slowness lead to.
	longest = 30 * time.Second
	// courtesy is how many times longer than an observation the pause after it
	// is: while Flame lists sessions it schedules nothing, so this is the share of
	// its time that is left to it.
	courtesy = 10
	// quick is how long an observation takes at most of a cluster that is asked among
	// those that answer at once, and soundTimeout how long it may. One that takes longer
	// begins anew elsewhere: when a hundred clusters hang that have answered before, the
	// others wait for a few seconds.
	quick, soundTimeout = time.Second, 2 * time.Second
	// heavyTimeout is how long one may take at least of a cluster that is known to answer
	// slowly or a lot. It may take ten times as long as the last.
	heavyTimeout = 5 * time.Second
	// jitter is by which share a pause is shorter or longer, so that clusters
	// that were found together are not asked together for good.
	jitter = 0.1
)

// pause returns how long to leave a session manager alone after an observation
// that took a time, or after so many failed in a row. The random number is from
// 0 to 1.
func pause(interval, took time.Duration, failures int, random float64) time.Duration {
	d := interval
	if failures == 0 {
		d = max(d, min(took*courtesy, longest))
	}
	for range failures {
		if d >= longest {
			break
		}
		d = min(d*2, longest)
	}
	return time.Duration(float64(d) * (1 + jitter*(2*random-1)))
}
