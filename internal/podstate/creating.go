// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package podstate

import (
	"regexp"
	"slices"
	"strings"
	"time"

	eventsv1 "k8s.io/api/events/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/events"
)

// SlowestCreated returns the position of the pod that has had a node and no container for
// the longest time, or -1 if there is none.
func SlowestCreated(pods []Pod) int {
	slowest := -1
	for i, pod := range pods {
		if pod.CreatingSince.IsZero() {
			continue
		}
		if slowest < 0 || pod.CreatingSince.Before(pods[slowest].CreatingSince) ||
			pod.CreatingSince.Equal(pods[slowest].CreatingSince) && pod.Name < pods[slowest].Name {
			slowest = i
		}
	}
	return slowest
}

// hindrances are the reasons of events about a pod whose first container cannot be made.
var hindrances = []string{
	"FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox", "NetworkNotReady", "FailedPrepareDynamicResources",
}

// fresh is how old an event may be to count. A kubelet tries again after two minutes at most.
const fresh = 5 * time.Minute

// Hindered returns the health of a pod without a container according to the events about
// the pod, and false if they do not say what keeps the container from being made.
func (p Pod) Hindered(about []eventsv1.Event, now time.Time) (Health, bool) {
	var told []string
	for i := range about {
		if slices.Contains(hindrances, about[i].Reason) && now.Sub(events.LastSeen(&about[i])) < fresh {
			told = append(told, p.steady(about[i].Note))
		}
	}
	if len(told) == 0 {
		return Health{}, false
	}
	// A pod may lack several things, and which event is the newest changes with each try.
	why := slices.MinFunc(told, func(a, b string) int {
		return strings.Compare(vague.ReplaceAllString(a, "~"), vague.ReplaceAllString(b, "~"))
	})
	if missing.MatchString(why) {
		return Health{flamev1alpha1.ReasonConfigError, "cannot start a container: " + why}, true
	}
	return Health{flamev1alpha1.ReasonPending, "waits: " + why}, true
}

var (
	// vague matches the events that only sum up the others. They come last in the order of
	// bytes with the tilde in place of the match.
	vague = regexp.MustCompile(`^Unable to attach or mount volumes`)
	// missing matches what only a change of the spec or of the object mends.
	missing = regexp.MustCompile(`(?i)(secret|configmap) "[^"]+" not found|non-existent (secret|config) key`)
	// passing matches the IDs of sandboxes and volumes, which are others with each try.
	passing = regexp.MustCompile(`[0-9a-f]{64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
)

// steady returns a note without what differs from try to try, and from pod to pod.
func (p Pod) steady(note string) string {
	return without(passing.ReplaceAllString(strings.Join(strings.Fields(note), " "), "…"), p.UID, p.Name)
}
