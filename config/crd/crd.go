// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package crd is the CRD that is shipped, for tests. It is built in, since go test
// notices that a file has changed only if that is in the module of the test.
package crd

import _ "embed" // the CRD

// FlameClusters is the CRD as controller-gen writes it.
//
//go:embed bases/flame.xflops.io_flameclusters.yaml
var FlameClusters []byte
