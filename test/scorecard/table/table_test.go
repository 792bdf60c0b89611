// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"
	"github.com/stretchr/testify/assert"
)

func entry(suite, name string, results ...v1alpha3.TestResult) v1alpha3.Test {
	return v1alpha3.Test{
		Spec:   v1alpha3.TestConfiguration{Entrypoint: []string{"program", name}, Labels: map[string]string{"suite": suite}},
		Status: v1alpha3.TestStatus{Results: results},
	}
}

func TestTableIsCleanOnlyIfEveryTestPassedWithNothingToSay(t *testing.T) {
	pass := v1alpha3.TestResult{State: v1alpha3.PassState, Log: "took 1.2 s\n"}
	for name, test := range map[string]struct {
		expected, results []v1alpha3.Test
		want              bool
		wantText          []string
	}{
		"all pass": {
			expected: []v1alpha3.Test{entry("olm", "a"), entry("flame", "b")},
			results:  []v1alpha3.Test{entry("olm", "a", v1alpha3.TestResult{State: v1alpha3.PassState}), entry("flame", "b", pass)},
			want:     true, wantText: []string{"b     pass   1.2      0       0\na     pass   -", "DONE 2 tests"},
		},
		"a suggestion": {
			expected: []v1alpha3.Test{entry("olm", "a")},
			results:  []v1alpha3.Test{entry("olm", "a", v1alpha3.TestResult{State: v1alpha3.PassState, Suggestions: []string{"add a status"}})},
			wantText: []string{"suggestion: add a status"},
		},
		"an error of a test that passes": {
			expected: []v1alpha3.Test{entry("olm", "a")},
			results:  []v1alpha3.Test{entry("olm", "a", v1alpha3.TestResult{State: v1alpha3.PassState, Errors: []string{"odd"}})},
			wantText: []string{"error: odd"},
		},
		"a test that fails": {
			expected: []v1alpha3.Test{entry("flame", "b")},
			results:  []v1alpha3.Test{entry("flame", "b", v1alpha3.TestResult{State: v1alpha3.FailState, Errors: []string{"broken"}, Log: "one\ntwo\n"})},
			wantText: []string{"error: broken", "  | one\n  | two\n"},
		},
		"one of two results": {
			expected: []v1alpha3.Test{entry("flame", "b")},
			results:  []v1alpha3.Test{entry("flame", "b", pass, v1alpha3.TestResult{State: v1alpha3.ErrorState})},
			wantText: []string{"b: error"},
		},
		"a test that did not come to run": {
			expected: []v1alpha3.Test{entry("flame", "a"), entry("flame", "b")},
			results:  []v1alpha3.Test{entry("flame", "a", pass)},
			wantText: []string{"b     no result"},
		},
		"a test without results": {
			expected: []v1alpha3.Test{entry("flame", "a")},
			results:  []v1alpha3.Test{entry("flame", "a")},
			wantText: []string{"no result"},
		},
		"no tests at all": {},
	} {
		t.Run(name, func(t *testing.T) {
			text, clean := table(test.expected, test.results)
			assert.Equal(t, test.want, clean)
			for _, words := range test.wantText {
				assert.Contains(t, text, words)
			}
		})
	}
}
