// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package report makes the result of a test of the scorecard from how it ended.
// operator-sdk reads all that a test prints as one such document.
package report

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Problem is why a test did not pass, in a user's words.
type Problem struct {
	// State is fail if the operator did not do what it should, and error if that
	// could not be found out.
	State v1alpha3.State
	Err   error
	// Suggestions say what a user can do about it.
	Suggestions []string
}

func (p *Problem) Error() string { return p.Err.Error() }
func (p *Problem) Unwrap() error { return p.Err }

// Failed says that the operator did not do what it should.
func Failed(err error, suggestions ...string) error {
	return &Problem{State: v1alpha3.FailState, Err: err, Suggestions: suggestions}
}

// Unable says that the test could not be carried out.
func Unable(err error, suggestions ...string) error {
	return &Problem{State: v1alpha3.ErrorState, Err: err, Suggestions: suggestions}
}

// Result is the result of a test that wrote log and ended with err at a time.
// An error that is no Problem says nothing about the operator.
func Result(name, log string, err error, ended time.Time) v1alpha3.TestResult {
	result := v1alpha3.TestResult{Name: name, Log: log, State: v1alpha3.PassState, CreationTimestamp: metav1.NewTime(ended)}
	if err == nil {
		return result
	}
	result.State, result.Errors = v1alpha3.ErrorState, []string{err.Error()}
	if problem, ok := errors.AsType[*Problem](err); ok {
		result.State, result.Suggestions = problem.State, problem.Suggestions
	}
	return result
}

var lastLine = regexp.MustCompile(`(?m)^took ([0-9.]+) s$`)

// Took is the line of a log that says how long its test took.
func Took(d time.Duration) string { return fmt.Sprintf("took %.1f s\n", d.Seconds()) }

// Seconds reads the line that Took writes; other people's tests have none.
func Seconds(log string) (float64, bool) {
	found := lastLine.FindStringSubmatch(log)
	if found == nil {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(found[1], 64)
	return seconds, err == nil
}
