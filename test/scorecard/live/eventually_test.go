// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/test/scorecard/runner"
)

func TestWhatIsWaitedForInVainIsNotTheDeadline(t *testing.T) {
	begun := &trial{log: &runner.Log{}, patience: patience{interval: 50 * time.Millisecond}}
	for name, atTheEnd := range map[string]func(ctx context.Context) error{
		"a request is cut short": func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
		"a request would come too late": func(context.Context) error {
			return errors.New("client rate limiter Wait returned an error: rate: Wait(n=1) would exceed context deadline")
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := begun.eventually(t.Context(), "it is there", 200*time.Millisecond, func(ctx context.Context) error {
				if end, _ := ctx.Deadline(); time.Until(end) < begun.patience.interval {
					return atTheEnd(ctx)
				}
				return errors.New("it is on its way")
			})
			require.ErrorContains(t, err, "until it is there: it is on its way")
		})
	}
}
