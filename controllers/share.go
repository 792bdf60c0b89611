// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import "sync/atomic"

const (
	// atOnce is how many pods the passes that are under way may create together. A
	// cluster that is alone is as fast as the API server, and among many a large one
	// leaves room for the others.
	atOnce = 30 * workers
	// firstPart is the part of its share that a cluster without pods takes among
	// others: all shall have their first pods before one has all of its own.
	firstPart = 3
)

// share parts what may be created at once among the passes under way.
type share struct{ passes atomic.Int32 }

// enter counts a pass, whatever it will come to do, until it leaves.
func (s *share) enter() { s.passes.Add(1) }

func (s *share) leave() { s.passes.Add(-1) }

// each is how many pods a pass that is under way may create, the first of its
// cluster or more of them.
func (s *share) each(first bool) int {
	passes := int(s.passes.Load())
	if first && passes > 1 {
		return atOnce / passes / firstPart
	}
	return atOnce / passes
}
