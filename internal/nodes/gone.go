// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"slices"
	"time"

	"github.com/xflops/flame-operator/internal/flame/action"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// gone fences a name whose process has no connection, and releases the name when Flame
// has given it up with nothing left on it.
//
// Flame workaround: release
func (d *decision) gone(gone Gone) {
	if gone.Process == Alive {
		d.look(d.now.Add(hiddenTime)) // The pod may stay for long, and no watch tells when it goes.
		return
	}
	node, listed := d.in.Latest.Observation.Node(gone.Name)
	fenced := d.in.Latest.Track.Nodes[gone.Name].FencedSince
	switch {
	case fenced.After(d.in.Latest.Observation.At): // Flame's last word is older than the fence.
		d.await(fenced.Add(fenceTime))
	case node.State == observation.NotReady && node.Allocatable == (observation.Resources{}) && len(d.held[gone.Name]) == 0:
		d.plan.Urgent = true
		d.plan.do(action.Release, gone.Name)
	case node.Fenced() && fenced.After(d.in.SessionManager.StartedAt) && d.now.Sub(fenced) < fenceTime:
		d.await(fenced.Add(fenceTime))
		d.clear(gone)
	default:
		d.fence(gone, node, listed)
	}
}

// fence fences a name once it is proven that the name's process has no connection.
//
// Flame workaround: fence
// Flame workaround: fence-silent
func (d *decision) fence(gone Gone, node observation.Node, listed bool) {
	switch {
	case gone.Process == Ended:
		d.plan.Urgent = true
		d.plan.do(action.Fence, gone.Name)
	case node.State == observation.Ready:
		d.mayBeConnected(gone, node)
	case listed || d.forgottenFor(gone, d.in.Grace):
		d.plan.Urgent = true
		d.plan.do(action.FenceSilent, gone.Name)
	default:
		d.drainAbsent(gone)
		d.look(gone.Since.Add(d.in.Grace))
	}
}

// await has a state watched closely that is to be over at end.
func (d *decision) await(end time.Time) {
	d.plan.Urgent = true
	d.look(end)
}

// mayBeConnected challenges a node that Flame calls Ready and that has no pod. Such a
// node is either the process of a force-deleted pod, which drains, or a mere memory of a
// session manager that was started anew, for which no process answers.
//
// Flame workaround: challenge
func (d *decision) mayBeConnected(gone Gone, node observation.Node) {
	track := d.in.Latest.Track.Nodes[gone.Name]
	switch quiet := d.in.Latest.Observation.At.Sub(track.SilentSince); {
	case node.Silent() && quiet >= silence:
		d.plan.Urgent = true
		d.plan.do(action.FenceSilent, gone.Name)
		return
	case node.Silent():
		d.await(d.now.Add(silence - quiet))
	case track.ChallengedAt.After(d.in.Latest.Observation.At):
		d.await(track.ChallengedAt.Add(silence))
	case d.now.Sub(track.ChallengedAt) >= challengeEvery:
		d.plan.do(action.Challenge, gone.Name)
		d.await(d.now.Add(silence))
	default:
		d.look(track.ChallengedAt.Add(challengeEvery))
	}
	d.drainAbsent(gone)
}

// forgottenFor reports whether a name that Flame does not list holds no executor
// that may be at work, or has had no pod for a time.
func (d *decision) forgottenFor(gone Gone, grace time.Duration) bool {
	return d.now.Sub(gone.Since) >= grace || !slices.ContainsFunc(d.held[gone.Name], observation.Executor.Busy)
}

// clear removes from a fenced node those executors that run no task but would starve
// their sessions until the node's drain is over. Executors are removed only if the
// kubelet says that the process ended: a process that comes back would ask for its
// executors for ever.
//
// Flame workaround: clear
func (d *decision) clear(gone Gone) {
	if gone.Process == Ended && slices.ContainsFunc(d.held[gone.Name], d.starves) {
		d.plan.do(action.Clear, gone.Name)
	}
}

// starves reports whether an executor of a dead node can be removed before the node's
// drain is over. An Idle executor changes its state in a moment, and is left alone.
func (d *decision) starves(e observation.Executor) bool {
	switch e.State {
	case observation.Void, observation.Binding, observation.Releasing:
		return true
	case observation.Unbinding:
		return d.running[e.Session] == 0
	default:
		return false
	}
}
