// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import "time"

const (
	// Calm is the time between two observations of a cluster in which nothing is
	// under way.
	Calm = 10 * time.Second
	// Urgent is the time between two observations while something is under way: a drain, a
	// pod that has just gone or connected.
	Urgent = time.Second
	// longest is the longest pause that failures and slowness lead to.
	longest = 30 * time.Second
	// courtesy is how many times longer the pause after an observation is than the
	// observation. Flame schedules nothing while it lists sessions, so the pause decides
	// how much of its time is left for scheduling.
	courtesy = 10
	// quick is the longest observation after which a cluster is asked among those that
	// answer at once, and soundTimeout is the timeout of an observation there. An
	// observation that takes longer begins anew elsewhere: when a hundred clusters hang
	// that have answered before, the others wait for a few seconds.
	quick, soundTimeout = time.Second, 2 * time.Second
	// heavyTimeout is the least timeout of an observation of a cluster that is known to
	// answer slowly or a lot. The timeout is ten times as long as the last observation took
	// if that is more, up to observeTimeout.
	heavyTimeout = 5 * time.Second
	// jitter is the share by which a pause is shorter or longer, so that clusters that were
	// found together are not asked together for good.
	jitter = 0.1
)

// pause returns how long to leave a session manager alone after an observation that took a
// time, or after so many failures in a row. The random number is from 0 to 1.
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
