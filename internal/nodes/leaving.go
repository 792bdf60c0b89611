// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"slices"
	"time"

	"github.com/xflops/flame-operator/internal/flame/action"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
)

// leaving decides about a deleted pod that is not gone yet.
func (d *decision) leaving(pod *podstate.Pod) {
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

// drainAbsent continues the drain of a pod that was force-deleted in the middle of it:
// the kubelet does not cut the pod's hook short. Any other force-deleted pod is killed
// within seconds, if its kubelet works. Unbinding the executors of such a pod would save
// no task, and would have the executors starve their session until the node is given up.
func (d *decision) drainAbsent(gone Gone) {
	if !gone.DeletedAt.IsZero() {
		d.drain(gone.Name, gone.DeletedAt)
	}
}

// drain unbinds the executors of a pod that surely run a task, while the pod's preStop
// hook halts its executor manager: the task goes on, and nothing else moves. An executor
// that is unbound between two tasks would take the second task out of the queue and drop
// it, and nothing that Flame says shows that moment. When the task has ended, the hook
// stops the process.
//
// A drain may take hours, and is watched closely only around the halts of the executor
// manager.
//
// Flame workaround: drain
func (d *decision) drain(name string, deleted time.Time) {
	held := d.held[name]
	if !slices.ContainsFunc(held, func(e observation.Executor) bool { return e.State == observation.Bound }) {
		return
	}
	into := d.now.Sub(deleted) % haltEvery
	switch {
	case into < haltFrom:
		d.look(d.now.Add(haltFrom - into))
	case into >= haltEvery-haltLead:
		d.look(d.now.Add(haltEvery + haltFrom - into))
	case into >= haltUntil:
		d.look(d.now.Add(haltEvery - haltLead - into))
		return
	default:
		d.look(d.now.Add(haltLook))
		for _, executor := range held {
			if d.work[executor.ID] == observation.RunsTask {
				d.plan.Actions = append(d.plan.Actions, action.Action{Verb: action.Unbind, Target: executor.ID, Within: haltUntil + haltSpare - into})
			}
		}
	}
	d.plan.Urgent = true
}
