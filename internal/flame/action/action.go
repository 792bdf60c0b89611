// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package action says in values what a session manager can be asked to do: whoever
// plans makes Actions, and internal/flame does them, having looked again just before.
package action

import "time"

// Verb is what is to be done.
type Verb string

// The verbs. The methods of internal/flame's Client tell what each does to a node, or to
// an executor.
const (
	// Fence lets Flame give up a node whose process has ended, and FenceSilent one whose
	// process may live, without a connection.
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

// Action is a verb with the node, or the executor by its ID, for which it is meant.
type Action struct {
	Verb   Verb
	Target string
	// Within is for how long it is safe, from when it was decided; zero if time makes no
	// difference.
	Within time.Duration
}
