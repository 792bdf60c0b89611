// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/xflops/flame-operator/test/scorecard/report"
)

// oneLook is how long a look may take before it counts as failed.
const oneLook = 10 * time.Second

// eventually repeats check until it returns nil. Waiting in vain counts as the operator's
// failure, unless the test was told to stop or may not look.
func (t *trial) eventually(ctx context.Context, what string, atMost time.Duration, check func(ctx context.Context) error) error {
	within, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	start := time.Now()
	deadline := start.Add(atMost)
	var last error
	for {
		err := look(within, check)
		if err == nil {
			t.log.Printf("%s (after %.1f s)", what, time.Since(start).Seconds())
			return nil
		}
		if final(err) {
			return fmt.Errorf("wait until %s: %w", what, err)
		}
		// An error that is only the deadline's tells less than the one before it, also
		// when the client foresees that its turn comes too late.
		if last == nil || within.Err() == nil && time.Until(deadline) > t.patience.interval {
			last = err
		}
		select {
		case <-within.Done():
			return t.gaveUp(ctx, what, time.Since(start), last)
		case <-time.After(t.patience.interval):
		}
	}
}

func look(ctx context.Context, check func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, oneLook)
	defer cancel()
	return check(ctx)
}

// final reports whether waiting does not mend an error.
func final(err error) bool {
	_, known := errors.AsType[*report.Problem](err)
	return known || apierrors.IsForbidden(err)
}

func (t *trial) gaveUp(ctx context.Context, what string, waited time.Duration, last error) error {
	err := fmt.Errorf("waited %.0f s in vain until %s: %w", waited.Seconds(), what, last)
	t.log.Printf("%v", err)
	if errors.Is(ctx.Err(), context.Canceled) {
		return report.Unable(fmt.Errorf("%w, %w", context.Cause(ctx), err))
	}
	return report.Failed(err)
}

// steadily returns the error of check, if it has one within a while.
func (t *trial) steadily(ctx context.Context, what string, check func(ctx context.Context) error) error {
	for end := time.Now().Add(t.patience.still); time.Now().Before(end); {
		if err := look(ctx, check); err != nil {
			return report.Failed(fmt.Errorf("it did not stay so that %s: %w", what, err))
		}
		select {
		case <-ctx.Done():
			return report.Unable(context.Cause(ctx))
		case <-time.After(t.patience.interval):
		}
	}
	t.log.Printf("%s, and it stays so", what)
	return nil
}
