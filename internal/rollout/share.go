// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package rollout

const (
	// AtOnce is how many pods the passes that are under way may create together. A
	// cluster that is alone is as fast as the API server, and among many a large one
	// leaves room for the others.
	AtOnce = 240
	// FirstPart is the part of its share that a cluster without pods takes among
	// others: all shall have their first pods before one has all of its own.
	FirstPart = 3
)

// Share is how many pods one of so many passes may create, the first of its cluster or
// more of them.
func Share(passes int, first bool) int {
	if first && passes > 1 {
		return AtOnce / passes / FirstPart
	}
	return AtOnce / passes
}
