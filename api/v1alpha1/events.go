// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Reasons of the events about an executor manager that was replaced although it ran,
// because it was of no use any more. All other events carry the reason of a condition.
const (
	// EventStateLost means that the session manager has lost its memory, and with it
	// the executors of this executor manager.
	EventStateLost = "StateLost"
	// EventGivenUp means that Flame has given up its node.
	EventGivenUp = "GivenUp"
	// EventUnlisted means that it is connected, and Flame does not know its node.
	EventUnlisted = "Unlisted"
	// EventCutOff means that it did not get back to the session manager.
	EventCutOff = "CutOff"
	// EventDeaf means that it did not take the executors that Flame gave it.
	EventDeaf = "Deaf"
	// EventRestartedInPlace means that its container was started again in its pod, and
	// Flame took it for what it was before.
	EventRestartedInPlace = "RestartedInPlace"
)
