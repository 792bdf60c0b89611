// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"time"

	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
)

// Decide returns what has to be done now. While Flame is silent nothing is: its
// last word stands.
//
//  1. A pod of a session manager that lost its memory is lost.
//  2. A name whose process is gone is fenced, cleared of what starves sessions,
//     and released when it is given up.
//  3. A pod that runs without Flame knowing it, or without knowing Flame, is lost.
//  4. An executor that its node did not take is sent again.
//  5. Executors that run tasks on pods that are to go are unbound.
//  6. Readiness gates say what Flame says.
//
// Flame is asked again soon while any of it is under way, and while somebody waits
// for a word of it that it can give: as long as it was asked in vain and has never
// answered, or has not been asked since a pod connected.
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
	// running is how many tasks of each session run.
	running map[string]int
	lost    map[string]bool
}

// pod decides about a name that has a pod.
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

// look asks for another decision at a time that is to come.
func (d *decision) look(at time.Time) {
	wait := at.Sub(d.now)
	if wait > 0 && (d.plan.After == 0 || wait < d.plan.After) {
		d.plan.After = wait
	}
}
