// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// Patience is how long anything may take that is bound to happen. Tests check
	// order and outcome, so it is generous: a slow machine fails no test.
	Patience = 2 * time.Minute
	// interval is the time between two looks.
	interval = 250 * time.Millisecond
	// oneLook is how long a look may take before it counts as failed.
	oneLook = 15 * time.Second
	// aWhile is how long what must not happen is watched for.
	aWhile = 5 * time.Second
)

// Eventually repeats check until it returns nil, and fails the test with its
// last error when Patience is at an end.
func Eventually(t *testing.T, what string, check func(ctx context.Context) error) {
	t.Helper()
	Within(t, Patience, what, check)
}

// Within does the same with a patience of its own.
func Within(t *testing.T, patience time.Duration, what string, check func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	look := func() error {
		one, cancel := context.WithTimeout(ctx, oneLook)
		defer cancel()
		return check(one)
	}
	start := time.Now()
	last := look()
	for last != nil {
		select {
		case <-ctx.Done():
			require.FailNowf(t, "not within "+patience.String()+": "+what, "%v", last)
		case <-time.After(interval):
		}
		// An error that is only the deadline's tells less than the one before it.
		if err := look(); err == nil || ctx.Err() == nil {
			last = err
		}
	}
	t.Logf("%6.1fs  %s", time.Since(start).Seconds(), what)
}

// Steadily fails the test if check returns an error within a while.
func Steadily(t *testing.T, what string, check func(ctx context.Context) error) {
	t.Helper()
	for end := time.Now().Add(aWhile); time.Now().Before(end); time.Sleep(interval) {
		require.NoErrorf(t, check(t.Context()), "not for %s: %s", aWhile, what)
	}
}
