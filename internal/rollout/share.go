// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package rollout

const (
	// AtOnce is how many pods the passes that are under way may create together. A lone
	// cluster is created as fast as the API server can, and among many clusters a large
	// one leaves room for the others.
	AtOnce = 240
	// FirstPart divides the share of a cluster without pods while other passes are under
	// way: every cluster shall have its first pods before one cluster has all of its
	// pods.
	FirstPart = 3
)

// Share returns how many pods one of the given number of passes may create. The argument
// first says that the cluster has no pods yet.
func Share(passes int, first bool) int {
	if first && passes > 1 {
		return AtOnce / passes / FirstPart
	}
	return AtOnce / passes
}
