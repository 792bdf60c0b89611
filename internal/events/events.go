// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package events reads what Kubernetes' components say of an object.
package events

import (
	"time"

	eventsv1 "k8s.io/api/events/v1"
)

// LastSeen returns the time at which an event happened last. Each reporter fills other
// fields.
func LastSeen(event *eventsv1.Event) time.Time {
	last := event.CreationTimestamp.Time
	for _, seen := range []time.Time{event.EventTime.Time, event.DeprecatedLastTimestamp.Time} {
		if seen.After(last) {
			last = seen
		}
	}
	if event.Series != nil && event.Series.LastObservedTime.After(last) {
		last = event.Series.LastObservedTime.Time
	}
	return last
}
