// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/xflops/flame-operator/test/scorecard/report"
)

const (
	// asScorecard makes this test's own binary the program of the suite below.
	asScorecard = "RUNNER_TEST_AS_SCORECARD"
	// readyFile names a file that a test makes once it can be told to stop.
	readyFile = "RUNNER_TEST_READY_FILE"
)

func TestMain(m *testing.M) {
	if os.Getenv(asScorecard) != "" {
		unruly.Main()
		return
	}
	os.Exit(m.Run())
}

// unruly is a suite of tests that do all that a test should not.
var unruly = Suite{
	Limit: 5 * time.Second,
	Grace: time.Second,
	Tests: []Test{
		{"passes", func(context.Context, *Log) error { return nil }},
		{"fails", func(_ context.Context, log *Log) error {
			log.Printf("looked at it")
			return report.Failed(errors.New("the cluster is not ready"), "look at its conditions")
		}},
		{"is noisy", func(context.Context, *Log) error {
			ctrllog.SetLogger(zap.New())
			for range 1000 {
				fmt.Println(`{"results": [{"state": "pass"}]}`)
				klog.Error("klog: reflector.go: watch of *v1.Pod ended")
				log.Print("log: and more")
				ctrllog.Log.Info("controller-runtime: starting")
				fmt.Fprint(os.Stderr, "\xff\x00no text\n")
			}
			return nil
		}},
		{"panics", func(_ context.Context, log *Log) error {
			log.Printf("all is well so far")
			panic("index out of range")
		}},
		{"panics elsewhere", func(ctx context.Context, _ *Log) error {
			go panic("in a goroutine that nobody watches")
			<-ctx.Done()
			return nil
		}},
		{"exits", func(context.Context, *Log) error {
			fmt.Println("last words")
			os.Exit(0)
			return nil
		}},
		{"is killed", func(context.Context, *Log) error {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}},
		{"does not end", func(_ context.Context, log *Log) error {
			log.Printf("here I am")
			select {}
		}},
		{"waits", func(ctx context.Context, log *Log) error {
			fmt.Println("ready to be stopped")
			_ = os.WriteFile(os.Getenv(readyFile), nil, 0o600)
			<-ctx.Done()
			log.Printf("cleaned up")
			return report.Unable(fmt.Errorf("stopped: %w", context.Cause(ctx)))
		}},
		{"is deaf to signals", func(context.Context, *Log) error {
			// What a library with handlers of its own might do; only SIGKILL is left.
			_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
			select {}
		}},
	},
}

// program starts the suite as a container would, with all output in one place.
func program(t *testing.T, env []string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	output := &bytes.Buffer{}
	command := exec.Command(self, args...)
	command.Env = append(append(os.Environ(), asScorecard+"=1"), env...)
	command.Stdout, command.Stderr = output, output
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Process.Kill() })
	return command, output
}

// only parses the whole output as operator-sdk does, but for being stricter.
func only(t *testing.T, output []byte) v1alpha3.TestResult {
	t.Helper()
	status := v1alpha3.TestStatus{}
	require.NoErrorf(t, json.Unmarshal(output, &status), "the output is:\n%s", output)
	decoder := json.NewDecoder(bytes.NewReader(output))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&v1alpha3.TestStatus{}))
	require.Len(t, status.Results, 1)
	return status.Results[0]
}

func TestOneDocumentWhateverHappens(t *testing.T) {
	for name, test := range map[string]struct {
		args           []string
		wantState      v1alpha3.State
		wantError      string
		wantSuggestion string
		wantLog        []string
	}{
		"a test that passes":                {args: []string{"passes"}, wantState: v1alpha3.PassState, wantLog: []string{"took "}},
		"a test that fails":                 {args: []string{"fails"}, wantState: v1alpha3.FailState, wantError: "the cluster is not ready", wantSuggestion: "conditions", wantLog: []string{"looked at it"}},
		"loggers that write all over":       {args: []string{"is noisy"}, wantState: v1alpha3.PassState, wantLog: []string{"took ", "klog: ", "log: ", "controller-runtime: "}},
		"a panic":                           {args: []string{"panics"}, wantState: v1alpha3.ErrorState, wantError: "index out of range", wantLog: []string{"all is well so far", "runner_test.go"}},
		"a panic in another goroutine":      {args: []string{"panics elsewhere"}, wantState: v1alpha3.ErrorState, wantError: "exit status 2", wantLog: []string{"nobody watches", "goroutine"}},
		"a library that exits":              {args: []string{"exits"}, wantState: v1alpha3.ErrorState, wantError: "without a result", wantLog: []string{"last words"}},
		"memory that runs out":              {args: []string{"is killed"}, wantState: v1alpha3.ErrorState, wantError: "killed"},
		"a test that hangs":                 {args: []string{"does not end"}, wantState: v1alpha3.ErrorState, wantError: "did not end within 5s", wantLog: []string{"here I am"}},
		"a process that hangs":              {args: []string{"is deaf to signals"}, wantState: v1alpha3.ErrorState, wantError: "did not end in time"},
		"a test that nobody knows":          {args: []string{"flies"}, wantState: v1alpha3.ErrorState, wantError: "flies", wantSuggestion: "passes, fails"},
		"no test":                           {wantState: v1alpha3.ErrorState, wantError: "name of one test", wantSuggestion: "passes, fails"},
		"two tests":                         {args: []string{"passes", "fails"}, wantState: v1alpha3.ErrorState, wantError: "name of one test"},
		"a flag, which might ask for usage": {args: []string{"--help"}, wantState: v1alpha3.ErrorState, wantError: "--help"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command, output := program(t, nil, test.args...)
			require.NoError(t, command.Wait(), "the state is in the document, not in the exit code")
			result := only(t, output.Bytes())
			assert.Equal(t, test.wantState, result.State)
			assert.Contains(t, strings.Join(result.Errors, "\n"), test.wantError)
			assert.Equal(t, test.wantState != v1alpha3.PassState, len(result.Errors) > 0)
			assert.Contains(t, strings.Join(result.Suggestions, "\n"), test.wantSuggestion)
			for _, words := range test.wantLog {
				assert.Contains(t, result.Log, words)
			}
			assert.Less(t, len(result.Log), 4*mostNoise, "noise does not fill the document")
		})
	}
}

func TestToldToStopItCleansUpAndReports(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"by Kubernetes": syscall.SIGTERM, "at a terminal": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "ready")
			command, output := program(t, []string{readyFile + "=" + file}, "waits")
			require.Eventually(t, func() bool {
				_, err := os.Stat(file)
				return err == nil
			}, time.Minute, 10*time.Millisecond)
			require.NoError(t, command.Process.Signal(signal))
			require.NoError(t, command.Wait())
			result := only(t, output.Bytes())
			assert.Equal(t, v1alpha3.ErrorState, result.State)
			assert.Contains(t, result.Errors[0], "stopped: ")
			assert.Contains(t, result.Errors[0], "signal")
			assert.Contains(t, result.Log, "cleaned up")
			assert.Contains(t, result.Log, "ready to be stopped", "what was printed is in the log")
		})
	}
}

func TestResultIsTakenAtItsWordOnlyIfItIsOne(t *testing.T) {
	for name, test := range map[string]struct {
		data string
		want bool
	}{
		"a result":                {`{"name": "a", "state": "pass", "creationTimestamp": null}`, true},
		"nothing":                 {``, false},
		"half of one":             {`{"name": "a", "sta`, false},
		"two":                     {`{"state": "pass"} {"state": "fail"}`, false},
		"a field that is unknown": {`{"state": "pass", "score": 5}`, false},
		"no state":                {`{"name": "a"}`, false},
		"a state that is none":    {`{"state": "passed"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := decode([]byte(test.data), &v1alpha3.TestResult{})
			assert.Equal(t, test.want, err == nil, err)
		})
	}
}
