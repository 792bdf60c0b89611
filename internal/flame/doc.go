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
// Flame workaround: polling-pause
package flame
