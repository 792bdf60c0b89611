// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

// Decide returns what has to be done now. While Flame is silent nothing is: its
// last word stands.
//
//  1. A pod of a session manager that lost its memory is lost.
//  2. A name whose process is gone is fenced, and released when it is given up.
//  3. A pod that runs without Flame knowing it, or without knowing Flame, is lost.
//  4. An executor that its node did not take is sent again.
//  5. Executors that run tasks on pods that are to go are unbound.
//  6. Readiness gates say what Flame says.
func Decide(in Input, now time.Time) Plan {
	d := decision{in: in, now: now, held: map[string][]observation.Executor{}, lost: map[string]bool{}}
	if in.Latest.Known() {
		d.held = in.Latest.Observation.ExecutorsByNode()
	}
	for i := range in.Pods {
		d.forgotten(&in.Pods[i])
	}
	if in.Recent && in.Latest.Known() {
		d.work = in.Latest.Observation.Work()
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
	lost map[string]bool
}

func strangers(latest observation.Latest, prefix string, known map[string]bool) []string {
	if !latest.Known() {
		return nil
	}
	names := map[string]bool{}
	add := func(name string) {
		if strings.HasPrefix(name, prefix) && !known[name] {
			names[name] = true
		}
	}
	for _, node := range latest.Observation.Nodes {
		add(node.Name)
	}
	for _, executor := range latest.Observation.Executors {
		add(executor.Node)
	}
	return slices.Sorted(maps.Keys(names))
}

// pod decides about a name that has a pod.
func (d *decision) pod(pod *Pod) {
	switch {
	case pod.Process == Ended:
		if d.named(pod.Name) {
			d.gone(Gone{Name: pod.Name, Process: Ended})
		}
		return
	case pod.Terminating:
		d.leaving(pod)
	default:
		d.living(pod)
	}
}

// named reports whether Flame knows a name.
func (d *decision) named(name string) bool {
	_, known := d.in.Latest.Track.Nodes[name]
	return known
}

// gone fences a name whose process is proven to be gone, and releases it when it
// is given up with nothing left on it.
func (d *decision) gone(gone Gone) {
	if gone.Process == Alive {
		d.look(d.now.Add(hiddenTime)) // It may be there to stay, and no watch tells when it goes.
		return
	}
	d.plan.Urgent = true
	node, listed := d.in.Latest.Observation.Node(gone.Name)
	if !d.proven(gone, node, listed) {
		d.drainAbsent(gone)
		d.look(gone.Since.Add(d.in.Grace))
		return
	}
	empty := node.Allocatable == observation.Resources{}
	fenced := d.in.Latest.Track.Nodes[gone.Name].FencedSince
	switch {
	case fenced.After(d.in.Latest.Observation.At): // What Flame says of it is of before.
		d.look(fenced.Add(fenceTime))
	case listed && node.State == observation.NotReady && empty && len(d.held[gone.Name]) == 0:
		d.plan.Release = append(d.plan.Release, gone.Name)
	case listed && node.State == observation.Unknown && empty && fenced.After(d.in.SessionManager.StartedAt) && d.now.Sub(fenced) < fenceTime:
		d.look(fenced.Add(fenceTime))
	default:
		d.plan.Fence = append(d.plan.Fence, gone.Name)
	}
}

// proven reports whether the process of a name is gone for sure. A node that
// Flame calls Ready may be the process of a force-deleted pod, or what a new
// session manager remembers; only time tells.
func (d *decision) proven(gone Gone, node observation.Node, listed bool) bool {
	switch {
	case gone.Process == Ended, d.now.Sub(gone.Since) >= d.in.Grace:
		return true
	case !listed: // Forgotten, but its executors may be at work.
		return !slices.ContainsFunc(d.held[gone.Name], observation.Executor.Busy)
	default:
		return node.State != observation.Ready
	}
}

// leaving decides about a pod that is on its way out and not gone yet.
func (d *decision) leaving(pod *Pod) {
	d.plan.Urgent = true
	if d.lost[pod.Name] {
		return
	}
	node, listed := d.in.Latest.Observation.Node(pod.Name)
	if listed && node.State == observation.NotReady {
		d.lose(pod, GivenUp, d.in.Latest.Track.Nodes[pod.Name].Since, true)
		return
	}
	d.drain(pod.Name, pod.DeletedAt)
}

// drainAbsent goes on with the drain of a pod that was force-deleted in the middle
// of it: the kubelet does not cut its hook short. Any other is killed within
// seconds, if its kubelet works. Whoever unbinds its executors then saves no task,
// and has them starve their session until the node is given up.
func (d *decision) drainAbsent(gone Gone) {
	if !gone.DeletedAt.IsZero() {
		d.drain(gone.Name, gone.DeletedAt)
	}
}

// drain unbinds the executors of a pod that surely run a task, while the pod's
// preStop hook halts its executor manager: the task goes on, and nothing else
// moves. An executor that is unbound between two tasks would take the second one
// out of the queue and drop it, and nothing that Flame says shows that moment.
// When the task has ended, the hook stops the process.
func (d *decision) drain(name string, deleted time.Time) {
	held := d.held[name]
	if !slices.ContainsFunc(held, func(e observation.Executor) bool { return e.State == observation.Bound }) {
		return
	}
	switch into := d.now.Sub(deleted) % haltEvery; {
	case into < haltFrom:
		d.look(d.now.Add(haltFrom - into))
	case into >= haltUntil:
		d.look(d.now.Add(haltEvery + haltFrom - into))
	default:
		d.look(d.now.Add(haltLook))
		for _, executor := range held {
			if d.work[executor.ID] == observation.RunsTask {
				d.plan.Unbind = append(d.plan.Unbind, executor.ID)
			}
		}
	}
}

// look asks for another decision at a time that is to come.
func (d *decision) look(at time.Time) {
	wait := at.Sub(d.now)
	if wait > 0 && (d.plan.After == 0 || wait < d.plan.After) {
		d.plan.After = wait
	}
}
