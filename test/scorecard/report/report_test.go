// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"
	"github.com/stretchr/testify/assert"
)

func TestResult(t *testing.T) {
	broken := errors.New("it is broken")
	for name, test := range map[string]struct {
		err             error
		wantState       v1alpha3.State
		wantErrors      []string
		wantSuggestions []string
	}{
		"a test that passes has nothing to say":        {wantState: v1alpha3.PassState},
		"an error is not the operator's":               {err: broken, wantState: v1alpha3.ErrorState, wantErrors: []string{"it is broken"}},
		"a failure is":                                 {err: Failed(broken, "mend it"), wantState: v1alpha3.FailState, wantErrors: []string{"it is broken"}, wantSuggestions: []string{"mend it"}},
		"what could not be tried says what is missing": {err: Unable(broken, "try again"), wantState: v1alpha3.ErrorState, wantErrors: []string{"it is broken"}, wantSuggestions: []string{"try again"}},
		"a problem is found below what wraps it": {
			err: fmt.Errorf("at noon: %w", Failed(broken, "mend it")), wantState: v1alpha3.FailState,
			wantErrors: []string{"at noon: it is broken"}, wantSuggestions: []string{"mend it"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			result := Result("test", "what it did", test.err, time.Unix(1, 0))
			assert.Equal(t, "test", result.Name)
			assert.Equal(t, "what it did", result.Log)
			assert.Equal(t, test.wantState, result.State)
			assert.Equal(t, test.wantErrors, result.Errors)
			assert.Equal(t, test.wantSuggestions, result.Suggestions)
			assert.Equal(t, int64(1), result.CreationTimestamp.Unix())
		})
	}
}

func TestSecondsAreReadAsTheyAreWritten(t *testing.T) {
	seconds, ok := Seconds("   0.1s  something\n" + Took(12345*time.Millisecond) + "and what a library printed")
	assert.True(t, ok)
	assert.InDelta(t, 12.3, seconds, 0.001)
	_, ok = Seconds("it took 3 s")
	assert.False(t, ok)
}
