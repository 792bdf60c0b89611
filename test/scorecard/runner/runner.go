// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package runner runs one test of the scorecard and prints one JSON document,
// whatever happens.
//
// operator-sdk parses all that the container of a test prints, so one line of a
// logger, or the trace of a panic in a goroutine that nobody recovers, would
// cost the result. A test therefore runs in a process of its own, which hands
// its result over through a pipe; what else it prints becomes part of the log,
// and if it ends without a result, how it ended is the result. The outer process
// does nothing that could go wrong.
package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"

	"github.com/xflops/flame-operator/test/scorecard/report"
)

// Test is one test of the scorecard.
type Test struct {
	// Name is the argument by which it is run.
	Name string
	// Run returns nil if all is as it should be, and a report.Problem otherwise.
	// When ctx is done it has the suite's Grace to clean up.
	Run func(ctx context.Context, log *Log) error
}

// Suite is the tests of an image.
type Suite struct {
	Tests []Test
	// Limit is how long a test may take.
	Limit time.Duration
	// Grace is how long it may take to clean up after that, or after it was told
	// to stop. Kubernetes kills a pod 30 s after it told it to.
	Grace time.Duration
}

// Main runs the test that the command line names. Main prints one v1alpha3.TestStatus on
// standard output and nothing on standard error, and leaves the exit code at 0: the state
// is in the document.
func (s Suite) Main() {
	if name, found := os.LookupEnv(insideVariable); found {
		if err := s.inside(name); err != nil {
			fmt.Fprintln(os.Stderr, "write the result:", err)
			os.Exit(1)
		}
		return
	}
	result := s.supervise(os.Args[1:])
	document, err := json.MarshalIndent(v1alpha3.TestStatus{Results: []v1alpha3.TestResult{result}}, "", "  ")
	if err != nil {
		// A result is strings and a time: nothing in it can fail to be JSON.
		document = []byte(`{"results": [{"state": "error", "errors": ["the result is no JSON"]}]}`)
	}
	fmt.Fprintf(os.Stdout, "%s\n", document)
}

func (s Suite) find(args []string) (Test, error) {
	var names []string
	for _, test := range s.Tests {
		if len(args) == 1 && test.Name == args[0] {
			return test, nil
		}
		names = append(names, test.Name)
	}
	return Test{}, report.Unable(fmt.Errorf("the arguments are %q, where the name of one test was expected", args),
		"name one of these tests: "+strings.Join(names, ", "))
}
