// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Command table prints what operator-sdk scorecard found as a table:
//
//	go run ./table EXPECTED RESULT
//
// EXPECTED is the list of the tests, RESULT their results, both as operator-sdk prints
// them with --output json. The command fails unless every test passed with nothing to
// suggest.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: table EXPECTED RESULT")
		os.Exit(2)
	}
	expected, expectedErr := read(os.Args[1])
	result, resultErr := read(os.Args[2])
	if err := errors.Join(expectedErr, resultErr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	text, clean := table(expected.Items, result.Items)
	fmt.Print(text)
	if !clean {
		os.Exit(1)
	}
}

func read(path string) (v1alpha3.TestList, error) {
	list := v1alpha3.TestList{}
	data, err := os.ReadFile(path)
	if err != nil {
		return list, err
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return list, fmt.Errorf("%s is no list of tests, so operator-sdk did not come to an end: %w", path, err)
	}
	return list, nil
}
