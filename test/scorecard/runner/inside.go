// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/xflops/flame-operator/test/scorecard/report"
)

const (
	// insideVariable tells the inner process which test it runs.
	insideVariable = "FLAME_SCORECARD_INSIDE"
	// resultFD is where it writes the result: the first descriptor after the
	// standard three.
	resultFD = 3
)

// inside runs a test in this process and writes its result.
func (s Suite) inside(name string) error {
	result := os.NewFile(resultFD, "result")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, s.Limit, fmt.Errorf("the test did not end within %s", s.Limit))
	defer cancel()
	log := newLog(time.Now())
	test, err := s.find([]string{name})
	if err == nil {
		err = carryOut(ctx, test, log, s.Grace)
	}
	text := log.String() + report.Took(time.Since(log.start))
	return json.NewEncoder(result).Encode(report.Result(name, text, err, time.Now()))
}

// carryOut runs a test, and does not wait for one that goes on and on.
func carryOut(ctx context.Context, test Test, log *Log, grace time.Duration) error {
	done := make(chan error, 1)
	go func() {
		err := errors.New("the test ended without a result")
		defer func() {
			if p := recover(); p != nil {
				log.Printf("panic: %v\n%s", p, debug.Stack())
				err = fmt.Errorf("the test itself broke down, its log has the trace: %v", p)
			}
			done <- err
		}()
		err = test.Run(ctx, log)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(grace):
		return report.Unable(fmt.Errorf("%w, and had not cleaned up %s later", context.Cause(ctx), grace))
	}
}
