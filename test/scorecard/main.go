// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Scorecard is the program of the image flame-scorecard. operator-sdk scorecard
// runs it in a pod, once for each test, with the name of the test:
//
//	flame-scorecard flamecluster-runs-tasks
//
// The program prints a v1alpha3.TestStatus and nothing else.
package main

import "github.com/xflops/flame-operator/test/scorecard/live"

func main() { live.Suite().Main() }
