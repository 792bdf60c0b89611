// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package action has values for what a session manager can be asked to do. Planners make
// Actions, and internal/flame carries them out after looking again just before.
package action

import "time"

// Verb is what is to be done.
type Verb string

// The verbs. The methods of internal/flame's Client tell what each does to a node or to an
// executor.
const (
	// Fence lets Flame give up a node whose process has ended, and FenceSilent a node whose
	// process may live without a connection.
	Fence       Verb = "Fence"
	FenceSilent Verb = "FenceSilent"
	// Clear takes executors without a task off a fenced node.
	Clear Verb = "Clear"
	// Challenge has the process of a node show that it is connected.
	Challenge Verb = "Challenge"
	// Release has Flame forget a node that it has given up.
	Release Verb = "Release"
	// Resync has Flame send a node its executors again.
	Resync Verb = "Resync"
	// Unbind lets the task of an executor be its last.
	Unbind Verb = "Unbind"
	// Cordon has Flame forget a live node without executors.
	Cordon Verb = "Cordon"
)

// Action is a verb and its target: the name of a node, or the ID of an executor.
type Action struct {
	Verb   Verb
	Target string
	// Within is for how long the action is safe, counted from its decision; zero if time
	// makes no difference.
	Within time.Duration
}
