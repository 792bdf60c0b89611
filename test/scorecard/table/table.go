// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"

	"github.com/xflops/flame-operator/test/scorecard/report"
)

// table returns one line for each expected test and, below, all that is known of the
// tests that are not clean. The bool reports whether all are clean: passed, with no error
// and nothing to suggest.
func table(expected, results []v1alpha3.Test) (string, bool) {
	var out, details strings.Builder
	lines := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(lines, "TEST\tSTATE\tSECONDS\tERRORS\tSUGGESTIONS")
	clean := len(expected) > 0
	slices.SortStableFunc(expected, func(a, b v1alpha3.Test) int { return cmp.Compare(a.Spec.Labels["suite"], b.Spec.Labels["suite"]) })
	for i := range expected {
		name := nameOf(&expected[i])
		found := resultsOf(name, results)
		clean = clean && len(found) > 0
		if len(found) == 0 {
			fmt.Fprintf(lines, "%s\tno result\t-\t-\t-\n", name)
		}
		for _, result := range found {
			fmt.Fprintf(lines, "%s\t%s\t%s\t%d\t%d\n", name, result.State, seconds(result.Log), len(result.Errors), len(result.Suggestions))
			if result.State != v1alpha3.PassState || len(result.Errors) > 0 || len(result.Suggestions) > 0 {
				clean = false
				describe(&details, name, result)
			}
		}
	}
	_ = lines.Flush() // To memory.
	out.WriteString(details.String())
	if clean {
		fmt.Fprintf(&out, "DONE %d tests, all passed with nothing to suggest\n", len(expected))
	}
	return out.String(), clean
}

// nameOf returns a test's name in its entrypoint, which is what it is run by.
func nameOf(test *v1alpha3.Test) string {
	if len(test.Spec.Entrypoint) == 0 {
		return test.Spec.Labels["test"]
	}
	return test.Spec.Entrypoint[len(test.Spec.Entrypoint)-1]
}

func resultsOf(name string, tests []v1alpha3.Test) []v1alpha3.TestResult {
	var found []v1alpha3.TestResult
	for i := range tests {
		if nameOf(&tests[i]) == name {
			found = append(found, tests[i].Status.Results...)
		}
	}
	return found
}

func seconds(log string) string {
	if s, known := report.Seconds(log); known {
		return fmt.Sprintf("%.1f", s)
	}
	return "-"
}

func describe(out *strings.Builder, name string, result v1alpha3.TestResult) {
	fmt.Fprintf(out, "\n%s: %s\n", name, result.State)
	for _, text := range result.Errors {
		fmt.Fprintf(out, "  error: %s\n", text)
	}
	for _, text := range result.Suggestions {
		fmt.Fprintf(out, "  suggestion: %s\n", text)
	}
	for line := range strings.Lines(result.Log) {
		fmt.Fprintf(out, "  | %s\n", strings.TrimRight(line, "\n"))
	}
}
