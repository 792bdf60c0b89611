// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import "sync/atomic"

// atOnce is how many pods the passes that are under way may create together. A
// cluster that is alone is as fast as the API server, and among many a large one
// leaves room for the others' first pods.
const atOnce = 20 * workers

// share parts what may be created at once among the passes under way.
type share struct{ passes atomic.Int32 }

// enter counts a pass, whatever it will come to do, until it leaves.
func (s *share) enter() { s.passes.Add(1) }

func (s *share) leave() { s.passes.Add(-1) }

// each is how many pods a pass that is under way may create.
func (s *share) each() int { return atOnce / int(s.passes.Load()) }
