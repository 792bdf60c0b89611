// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"

	"github.com/xflops/flame-operator/test/scorecard/report"
)

const (
	// mostNoise is how much is kept of what a test prints, in bytes.
	mostNoise = 8 << 10
	// longer is how much longer than the inner process the outer one waits, since
	// what the inner one has to say is worth more.
	longer = 3 * time.Second
)

// supervise runs a test in a process of its own and returns its result, or says
// how the process ended without one.
func (s Suite) supervise(args []string) v1alpha3.TestResult {
	test, err := s.find(args)
	if err != nil {
		return report.Result("", "", err, time.Now())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, s.Limit+s.Grace+longer, errors.New("it did not end in time"))
	defer cancel()
	noise := &tail{most: mostNoise}
	written, err := s.process(ctx, test.Name, noise)
	result := v1alpha3.TestResult{}
	if decode(written, &result) != nil {
		if err == nil {
			err = errors.New("it ended as if all were well")
		}
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("%w (%w)", cause, err)
		}
		err = report.Unable(fmt.Errorf("the test ended without a result: %w", err))
		return report.Result(test.Name, noise.String(), err, time.Now())
	}
	if printed := noise.String(); printed != "" {
		result.Log += "what was printed meanwhile:\n" + printed
	}
	return result
}

// process runs this program again as the inner process, and returns what it
// wrote for a result and how it ended.
func (s Suite) process(ctx context.Context, name string, noise io.Writer) ([]byte, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = reader.Close() }()
	command := exec.CommandContext(ctx, self, name)
	command.Env = append(os.Environ(), insideVariable+"="+name)
	command.Stdout, command.Stderr = noise, noise
	command.ExtraFiles = []*os.File{writer}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = s.Grace + longer
	err = command.Start()
	_ = writer.Close()
	if err != nil {
		return nil, err
	}
	written := make(chan []byte, 1)
	go func() {
		data, _ := io.ReadAll(reader) // Cut short it is no JSON, which is seen later.
		written <- data
	}()
	err = command.Wait()
	return <-written, err
}

// decode wants exactly one result, of known fields and a known state.
func decode(data []byte, result *v1alpha3.TestResult) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(result); err != nil {
		return err
	}
	if decoder.More() {
		return errors.New("more than one result")
	}
	switch result.State {
	case v1alpha3.PassState, v1alpha3.FailState, v1alpha3.ErrorState:
		return nil
	}
	return fmt.Errorf("the state %q is none", result.State)
}
