// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package flame speaks with session managers: Client asks one and tells it what to do;
// Observers ask those of all clusters in turn and keep their answers.
//
// The package decides nothing. Flame is unforgiving, so each verb looks again just before
// it acts and refuses what would lose work; only the caller can know whether the process of
// a node is gone. Callers get values of package observation; the generated types stop here.
// Silence is an error, never an empty observation.
//
// Answers of a session manager are not trusted, since any image may run as one. Every
// answer is bounded before it is read, see bounds.go, and working through an answer delays
// no other cluster.
//
// Flame workaround: polling-pause
package flame
