// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"k8s.io/utils/clock"
)

func TestPause(t *testing.T) {
	const even = 0.5
	tests := map[string]struct {
		interval, took time.Duration
		failures       int
		random         float64
		want           time.Duration
	}{
		"the interval":                             {interval: 10 * time.Second, took: time.Millisecond, random: even, want: 10 * time.Second},
		"a tenth less":                             {interval: 10 * time.Second, random: 0, want: 9 * time.Second},
		"a tenth more":                             {interval: 10 * time.Second, random: 1, want: 11 * time.Second},
		"ten times what it took":                   {interval: time.Second, took: 400 * time.Millisecond, random: even, want: 4 * time.Second},
		"no longer than 30 s for a slow one":       {interval: time.Second, took: 14 * time.Second, random: even, want: 30 * time.Second},
		"twice the interval after a failure":       {interval: 10 * time.Second, failures: 1, random: even, want: 20 * time.Second},
		"no longer than 30 s after many":           {interval: 10 * time.Second, failures: 1 << 30, random: even, want: 30 * time.Second},
		"a failure in a hurry is tried again soon": {interval: time.Second, failures: 1, random: even, want: 2 * time.Second},
		"a failure that took long is no slowness":  {interval: time.Second, took: 15 * time.Second, failures: 2, random: even, want: 4 * time.Second},
		"an interval beyond it stays":              {interval: time.Minute, failures: 3, random: even, want: time.Minute},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, pause(test.interval, test.took, test.failures, test.random))
		})
	}
}

func TestPatience(t *testing.T) {
	o := NewObservers(nil, clock.RealClock{})
	assert.Equal(t, 2*time.Second, o.patience(&cluster{waits: o.sound}), "of one that was never asked")
	assert.Equal(t, 2*time.Second, o.patience(&cluster{waits: o.sound, took: 900 * time.Millisecond}))
	assert.Equal(t, 15*time.Second, o.patience(&cluster{waits: o.doubtful}), "of one that failed, or took too long there")
	assert.Equal(t, 5*time.Second, o.patience(&cluster{waits: o.heavy, took: 3 * time.Millisecond}), "of one that answers a lot")
	assert.Equal(t, 11*time.Second, o.patience(&cluster{waits: o.heavy, took: 1100 * time.Millisecond}), "of a slow one")
	assert.Equal(t, 15*time.Second, o.patience(&cluster{waits: o.heavy, took: 14 * time.Second}))
}
