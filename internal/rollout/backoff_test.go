// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestDelay(t *testing.T) {
	wants := []time.Duration{0, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 5 * time.Minute, 5 * time.Minute}
	for failures, want := range wants {
		assert.Equal(t, want, Delay(failures), "after %d failures", failures)
	}
	assert.Equal(t, 5*time.Minute, Delay(1<<40))
	assert.Zero(t, Delay(-1))
}

func TestFailure(t *testing.T) {
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(seconds int) time.Time { return created.Add(time.Duration(seconds) * time.Second) }
	tests := map[string]struct {
		failure   Failure
		now       time.Time
		wantWait  time.Duration
		wantCount int
	}{
		"the first failure is replaced at once": {
			failure: Failure{CreatedAt: created, StartedAt: at(1), FinishedAt: at(2)}, now: at(2), wantCount: 1,
		},
		"the second waits 10 s from when it finished": {
			failure: Failure{Inherited: 1, CreatedAt: created, StartedAt: at(1), FinishedAt: at(60)}, now: at(63),
			wantWait: 7 * time.Second, wantCount: 2,
		},
		"a wait that is over lasts no longer": {
			failure: Failure{Inherited: 1, CreatedAt: created, StartedAt: at(1), FinishedAt: at(60)}, now: at(70), wantCount: 2,
		},
		"one that worked for ten minutes starts again": {
			failure: Failure{Inherited: 9, CreatedAt: created, StartedAt: at(1), FinishedAt: at(601)}, now: at(601), wantCount: 1,
		},
		"one that never started has worked for no time": {
			failure: Failure{Inherited: 2, CreatedAt: created, FinishedAt: at(5000)}, now: at(5001),
			wantWait: 19 * time.Second, wantCount: 3,
		},
		"one of which nobody knows when it finished waits from its creation": {
			failure: Failure{Inherited: 1, CreatedAt: created}, now: at(4), wantWait: 6 * time.Second, wantCount: 2,
		},
		"a clock that runs ahead does not lengthen the wait": {
			failure: Failure{Inherited: 1, CreatedAt: created, StartedAt: at(3500), FinishedAt: at(3600)}, now: at(3000),
			wantWait: 10 * time.Second, wantCount: 2,
		},
		"a count that makes no sense is none": {
			failure: Failure{Inherited: -3, CreatedAt: created, FinishedAt: at(1)}, now: at(1), wantCount: 1,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.wantWait, max(0, test.failure.Wait(test.now)))
			assert.Equal(t, test.wantCount, test.failure.Count())
		})
	}
}
