// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"time"

	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
)

// Decide returns what has to be done now. While Flame is silent its last word stands, and
// only step 1 is carried out.
//
//  1. A pod is lost if it serves a session manager that has lost its memory.
//  2. A name whose process is gone is fenced, cleared of executors that starve sessions,
//     and released when Flame has given it up.
//  3. A running pod that Flame does not know, or that has no connection to Flame, is
//     lost.
//  4. An executor that its node did not accept is sent again.
//  5. Executors that run tasks on pods that are to go are unbound.
//  6. Readiness gates are set to what Flame says.
//
// The plan is urgent, so that Flame is asked again soon, while any of these steps is
// under way, while Flame has been asked in vain and has never answered, and while Flame
// has not been asked since a pod connected.
func Decide(in Input, now time.Time) Plan {
	d := decision{in: in, now: now, held: map[string][]observation.Executor{}, lost: map[string]bool{}}
	if in.Latest.Known() {
		d.held = in.Latest.Observation.ExecutorsByNode()
	}
	d.plan.Urgent = in.Latest.Err != nil && !in.Latest.Known()
	for i := range in.Pods {
		d.forgotten(&in.Pods[i])
		d.joining(&in.Pods[i])
	}
	if in.Recent && in.Latest.Known() {
		d.work, d.running = in.Latest.Observation.Work(), in.Latest.Observation.RunningBySession()
		for i := range in.Pods {
			d.pod(&in.Pods[i])
		}
		for _, gone := range in.Gone {
			d.gone(gone)
		}
	}
	d.plan.sort()
	return d.plan
}

type decision struct {
	in   Input
	now  time.Time
	plan Plan
	held map[string][]observation.Executor
	work map[string]observation.Work
	// running is the number of running tasks of each session.
	running map[string]int
	lost    map[string]bool
}

// pod decides about a node that has a pod.
func (d *decision) pod(pod *podstate.Pod) {
	switch {
	case pod.Ended:
		if _, known := d.in.Latest.Track.Nodes[pod.Name]; known {
			d.gone(Gone{Name: pod.Name, Process: Ended})
		}
	case pod.Terminating:
		d.leaving(pod)
	default:
		d.living(pod)
	}
}

// look asks for another decision at a later time.
func (d *decision) look(at time.Time) {
	wait := at.Sub(d.now)
	if wait > 0 && (d.plan.After == 0 || wait < d.plan.After) {
		d.plan.After = wait
	}
}
