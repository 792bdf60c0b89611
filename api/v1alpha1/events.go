// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Reasons of the events about an executor manager that was replaced although it ran,
// because it was of no use any more. All other events carry the reason of a condition.
const (
	// EventStateLost means that the session manager has lost its memory, and with it
	// the executors of this executor manager.
	EventStateLost = "StateLost"
	// EventGivenUp means that Flame has given up the node of the executor manager.
	EventGivenUp = "GivenUp"
	// EventUnlisted means that the executor manager is connected, and Flame does not know
	// its node.
	EventUnlisted = "Unlisted"
	// EventCutOff means that the executor manager did not get back to the session manager.
	EventCutOff = "CutOff"
	// EventDeaf means that the executor manager did not take the executors that Flame gave
	// it.
	EventDeaf = "Deaf"
	// EventRestartedInPlace means that the container was started again in its pod, and
	// Flame took the executor manager for what it was before.
	EventRestartedInPlace = "RestartedInPlace"
)
