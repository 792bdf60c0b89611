// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package flame speaks with session managers: Client asks one and tells it what
// to do, Observers ask those of all clusters in turn and keep what they said.
//
// It decides nothing. Flame is unforgiving, so each verb looks again just before
// it acts and refuses what would lose work, but whether a node's process is gone
// only the caller can know. Values of package observation come out; the
// generated types stop here. Silence is an error, never an empty observation.
//
// Nothing that a session manager sends is trusted: anybody's image may be one. All of it
// is bounded before it is read, see bounds.go, and what is made of it holds up nobody
// else.
//
// Flame workaround: polling-pause
package flame
