// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package events

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestLastSeenIsTheLatestOfAllTimes(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 5, 1, 12, minute, 0, 0, time.UTC) }
	for name, change := range map[string]func(*eventsv1.Event){
		"created":            func(e *eventsv1.Event) { e.CreationTimestamp = metav1.NewTime(at(3)) },
		"counted, as of old": func(e *eventsv1.Event) { e.DeprecatedLastTimestamp = metav1.NewTime(at(3)) },
		"told once":          func(e *eventsv1.Event) { e.EventTime = metav1.NewMicroTime(at(3)) },
		"counted in a series": func(e *eventsv1.Event) {
			e.Series = &eventsv1.EventSeries{LastObservedTime: metav1.NewMicroTime(at(3))}
		},
	} {
		event := eventsv1.Event{EventTime: metav1.NewMicroTime(at(2)), DeprecatedLastTimestamp: metav1.NewTime(at(1))}
		change(&event)
		assert.Equal(t, at(3), LastSeen(&event), name)
	}
}
