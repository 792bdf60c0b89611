// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Creating the pods of a fleet is measured beside a bare client that does the
// same with as many workers, on the same server and in the same run.

func BenchmarkCreate100Pods(b *testing.B) {
	bench := newBench(b)
	for b.Loop() {
		bench.begin(false)
		bench.create(bench.fleet(), 100)
	}
}

func BenchmarkBareClientCreates100Pods(b *testing.B) {
	bench := newBench(b)
	for b.Loop() {
		pods := bench.templates(100)
		require.NoError(b, parallel(b.Context(), len(pods), func(i int) error {
			pods[i].GenerateName = "c-worker-"
			return bench.Operators.Create(b.Context(), pods[i])
		}))
	}
}
