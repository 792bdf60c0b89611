// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package observation

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Reasons why a session manager could not be observed, or did not do what it was asked:
// every error of internal/flame that comes from a call is one of these, or a canceled
// context.
var (
	// ErrUnreachable means that nothing answers at the address of the session manager.
	ErrUnreachable = errors.New("the session manager cannot be reached")
	// ErrTimeout means that the session manager did not answer in time.
	ErrTimeout = errors.New("the session manager does not answer in time")
	// ErrAnswer means that the session manager answered with an error, or unreadably.
	ErrAnswer = errors.New("the session manager answers with an error")
	// ErrTooLarge means that the session manager answered with more than the operator
	// takes. A TooLarge says what that is.
	ErrTooLarge = errors.New("the session manager answers with more than the operator takes")
)

// TooLarge is an ErrTooLarge that says what is too large, and what the users of the cluster
// can do about it, in words that stay the same while that is so.
type TooLarge struct{ What, Cure string }

func (e *TooLarge) Error() string { return fmt.Sprintf("%v: %s; %s", ErrTooLarge, e.What, e.Cure) }

// Is reports whether an error is ErrTooLarge.
func (e *TooLarge) Is(target error) bool { return target == ErrTooLarge }

// Latest is what is known of a session manager: its last word, and whether it
// still speaks. The zero value says that nothing is known, which is never the
// same as an observation of nothing.
type Latest struct {
	// Observation is the last one that succeeded, and nil if none did. Callers share the
	// observation, and must only read it.
	Observation *Observation
	// Track is what is remembered with the observation.
	Track Track
	// Inquiries are what is known of lost tasks, by the IDs of open sessions.
	Inquiries map[string]Inquiry
	// Err is why the last try failed, and nil if it did not. FailingSince is when the first
	// of the tries began that have failed in a row.
	Err          error
	FailingSince time.Time
}

// Known reports whether there is an observation, however old.
func (l Latest) Known() bool { return l.Observation != nil }

// Fresh reports whether the last try succeeded, no longer ago than within.
func (l Latest) Fresh(now time.Time, within time.Duration) bool {
	return l.Known() && l.Err == nil && now.Sub(l.Observation.At) <= within
}

// recency is how old an observation may be for pods to be deleted by it. Slow session
// managers are asked every half minute.
const recency = 75 * time.Second

// Recent reports whether the last word is fresh, and comes from the session manager that
// started at a time and runs now.
func (l Latest) Recent(now, started time.Time) bool {
	return l.Fresh(now, recency) && l.Observation.At.After(started)
}

// Seen returns what is known after an observation.
func (l Latest) Seen(o Observation) Latest {
	return Latest{Observation: &o, Track: Next(l.Track, o), Inquiries: l.keepInquiries(o)}
}

// Failed returns what is known after a try that began at a time and failed: what was known
// before, and the failure.
func (l Latest) Failed(err error, at time.Time) Latest {
	if l.Err == nil {
		l.FailingSince = at
	}
	l.Err = err
	return l
}

// Fenced returns what is known after a node was fenced at a time.
func (l Latest) Fenced(node string, at time.Time) Latest {
	l.Track = l.Track.Fenced(node, at)
	return l
}

// Challenged returns what is known after a node was challenged at a time.
func (l Latest) Challenged(node string, at time.Time) Latest {
	l.Track = l.Track.Challenged(node, at)
	return l
}

// Resynced returns what is known after a try at a time to register a node again.
func (l Latest) Resynced(node string, at time.Time) Latest {
	l.Track = l.Track.Resynced(node, at)
	return l
}

// Changed reports whether a cluster has to be looked at because something is known now that
// was not known before:
//
//   - Flame fell silent, or speaks again,
//   - a node came, went, changed its state or what it has to give,
//   - a node has been idle often enough to count as idle,
//   - an executor came, went, changed its state or its session,
//   - an open session came or went, or what it asks for changed,
//   - a task is known to be lost, or no longer.
//
// Tasks that ended, closed sessions and the passing of time are no reason.
func Changed(before, after Latest) bool {
	if before.Known() != after.Known() || (before.Err == nil) != (after.Err == nil) {
		return true
	}
	if !after.Known() {
		return false
	}
	a, b := before.Observation, after.Observation
	return !slices.Equal(a.Nodes, b.Nodes) ||
		!slices.Equal(a.Executors, b.Executors) ||
		!sameDemands(a.Sessions, b.Sessions) ||
		!equalIdleness(before.Track, after.Track) ||
		!sameLostTasks(before, after)
}

// sameDemands compares open sessions.
func sameDemands(a, b []Session) bool {
	for {
		one, other := nextOpen(&a), nextOpen(&b)
		switch {
		case one == nil || other == nil:
			return one == other
		case !sameDemand(*one, *other):
			return false
		}
	}
}

// nextOpen takes the closed sessions before the first open one off a list, and that one
// too, and returns the open one, or nil if there is none.
func nextOpen(list *[]Session) *Session {
	for len(*list) > 0 {
		s := &(*list)[0]
		*list = (*list)[1:]
		if s.Open {
			return s
		}
	}
	return nil
}

func sameDemand(a, b Session) bool {
	if !equalPointers(a.MaxInstances, b.MaxInstances) || !equalPointers(a.Resreq, b.Resreq) {
		return false
	}
	for _, s := range []*Session{&a, &b} {
		s.MaxInstances, s.Resreq, s.CreatedAt = nil, nil, time.Time{}
		s.Succeeded, s.Failed, s.Cancelled, s.BindFailures = 0, 0, 0, 0
	}
	return a == b
}

func equalPointers[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func equalIdleness(a, b Track) bool {
	for name, n := range b.Nodes {
		if n.Idle != a.Nodes[name].Idle {
			return false
		}
	}
	return true
}
