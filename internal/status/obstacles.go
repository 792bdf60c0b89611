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

// Obstacle is a call that did not succeed and kept a component from being looked after.
type Obstacle struct {
	// Component is one of the API's components, or empty for something that all of them need.
	Component string
	// Refused says that the API server, or somebody whom it asks, refused the call, and
	// may accept it later. Otherwise the call failed.
	Refused bool
	// Err says what was tried, and what came of it.
	Err error
}

func (o Obstacle) reason() string {
	if o.Refused {
		return flamev1alpha1.ReasonRefused
	}
	return flamev1alpha1.ReasonError
}

// obstacle returns the first obstacle of a component as its health, and reports whether
// there is one.
func (c *computation) obstacle(component string) (podstate.Health, bool) {
	i := slices.IndexFunc(c.Obstacles, func(o Obstacle) bool { return o.Component == component || o.Component == "" })
	if i < 0 {
		return podstate.Health{}, false
	}
	return podstate.Health{Reason: c.Obstacles[i].reason(), Message: waits + c.tell(c.Obstacles[i])}, true
}

// waits begins what is told of a component that waits for something, and the cause follows.
const waits = "waits: "

// first returns the first obstacle of any component that is, or is not, a refusal.
func (c *computation) first(refused bool) *Obstacle {
	for i := range c.Obstacles {
		if c.Obstacles[i].Refused == refused {
			return &c.Obstacles[i]
		}
	}
	return nil
}

// longestObstacle is how much of an obstacle's error is kept, in bytes, since the room in
// conditions and events is limited.
const longestObstacle = 700

// noIPv4 matches the API server's words where Services have no IPv4 addresses.
var noIPv4 = regexp.MustCompile(`ipFamilies.*"IPv4".*not configured on this cluster`)

// tell returns the text of an obstacle, without the names of executor manager pods and
// cut to longestObstacle.
//
// Flame workaround: ipv4
func (c *computation) tell(o Obstacle) string {
	text := words.Cut(c.withoutNames(o.Err.Error()), longestObstacle)
	if noIPv4.MatchString(text) {
		text += ": Flame listens on IPv4 alone, so the Kubernetes cluster has to have IPv4 addresses for pods and Services"
	}
	return text
}

// numbers matches what differs between the texts of one failure from try to try: ports,
// durations, IDs. Writing the status for such a difference alone would wake the next try
// before its time.
var numbers = regexp.MustCompile(`[0-9a-fA-F-]*[0-9][0-9a-fA-F-]*`)

func sameButNumbers(a, b string) bool {
	return numbers.ReplaceAllString(a, "#") == numbers.ReplaceAllString(b, "#")
}
