// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"time"

	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
)

// Work is what Flame says that a pod does.
type Work struct {
	// Known says that Flame was asked lately. The other fields count only if Known is true.
	Known bool
	// Executors is how many executors the pod holds, in any state, and Busy is how many
	// of them surely run a task.
	Executors, Busy int
	// Idle says that the last two observations showed no executor on the pod.
	Idle bool
	// Cordoned says that Flame does not list the pod's node, so that the pod gets no
	// executor.
	Cordoned bool
}

// registration is how long an executor manager may take from its start until Flame lists
// it. An executor manager that is not listed after that was cordoned. So was one that is
// no longer listed: a readiness gate is set only once its node has been listed.
const registration = 10 * time.Second

// Join joins executor manager pods with what Flame said last, if that is recent.
func Join(pods []podstate.Pod, latest observation.Latest, recent bool) []ExecutorManager {
	joined := make([]ExecutorManager, len(pods))
	var executors map[string][]observation.Executor
	var tasks map[string]observation.Work
	if recent {
		executors, tasks = latest.Observation.ExecutorsByNode(), latest.Observation.Work()
	}
	for i, pod := range pods {
		joined[i].Pod = pod
		// An observation from before the pod's start says nothing about the pod.
		if !recent || !latest.Observation.At.After(pod.StartedAt) {
			continue
		}
		_, listed := latest.Observation.Node(pod.Name)
		joined[i].Work = Work{
			Known:     true,
			Executors: len(executors[pod.Name]),
			Idle:      latest.Track.Nodes[pod.Name].Idle >= observation.SettledIdle,
			Cordoned:  !listed && (!pod.GateSince.IsZero() || latest.Observation.At.After(pod.StartedAt.Add(registration))),
		}
		for _, executor := range executors[pod.Name] {
			if tasks[executor.ID] == observation.RunsTask {
				joined[i].Work.Busy++
			}
		}
	}
	return joined
}
