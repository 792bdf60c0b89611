// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"regexp"
	"slices"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/podstate"
	"github.com/xflops/flame-operator/internal/words"
)

// Obstacle is what kept a component from being looked after.
type Obstacle struct {
	// Component is one of the API's components, or empty for what all of them need.
	Component string
	// Refused says that the API server, or somebody whom it asks, does not do what it
	// was asked for, and may do it later. Otherwise a call failed.
	Refused bool
	// Err says what was to be done, and what came of it.
	Err error
}

func (o Obstacle) reason() string {
	if o.Refused {
		return flamev1alpha1.ReasonRefused
	}
	return flamev1alpha1.ReasonError
}

// obstacle returns what keeps a component from being looked after, as its health.
func (c *computation) obstacle(component string) (podstate.Health, bool) {
	i := slices.IndexFunc(c.Obstacles, func(o Obstacle) bool { return o.Component == component || o.Component == "" })
	if i < 0 {
		return podstate.Health{}, false
	}
	return podstate.Health{Reason: c.Obstacles[i].reason(), Message: "waits: " + c.tell(c.Obstacles[i])}, true
}

// first returns the first obstacle of a kind, for those who look at all components.
func (c *computation) first(refused bool) *Obstacle {
	for i := range c.Obstacles {
		if c.Obstacles[i].Refused == refused {
			return &c.Obstacles[i]
		}
	}
	return nil
}

// longestObstacle is how much of an obstacle is told, in bytes: conditions and events have
// no more room.
const longestObstacle = 700

// tell leaves out the names of executor manager pods, and what is too much.
func (c *computation) tell(o Obstacle) string {
	return words.Cut(c.withoutNames(o.Err.Error()), longestObstacle)
}

// numbers are what differs between the texts of one failure from try to try: ports,
// durations, IDs. A text that was written into the status for that alone would wake the
// next try before its time.
var numbers = regexp.MustCompile(`[0-9a-fA-F-]*[0-9][0-9a-fA-F-]*`)

func sameButNumbers(a, b string) bool {
	return numbers.ReplaceAllString(a, "#") == numbers.ReplaceAllString(b, "#")
}
