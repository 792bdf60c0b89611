// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"slices"
	"time"

	"github.com/xflops/flame-operator/internal/flame/action"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// gone fences a name whose process has no connection, and releases it when it is
// given up with nothing left on it.
//
// Flame workaround: release
func (d *decision) gone(gone Gone) {
	if gone.Process == Alive {
		d.look(d.now.Add(hiddenTime)) // It may be there to stay, and no watch tells when it goes.
		return
	}
	node, listed := d.in.Latest.Observation.Node(gone.Name)
	fenced := d.in.Latest.Track.Nodes[gone.Name].FencedSince
	switch {
	case fenced.After(d.in.Latest.Observation.At): // What Flame says of it is of before.
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

// fence fences a name as far as it is proven that its process has no connection.
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

// await watches something closely that is to be over at a time.
func (d *decision) await(end time.Time) {
	d.plan.Urgent = true
	d.look(end)
}

// mayBeConnected challenges a node that no pod has and Flame calls Ready. That
// is the process of a force-deleted pod, which drains, or whatever a session
// manager remembers that was started anew, which nobody answers for.
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

// clear has those executors taken off a fenced node that run no task and would
// keep it from others until its drain is over. Only the word of its kubelet will
// do: a process that comes back would ask for them for ever.
//
// Flame workaround: clear
func (d *decision) clear(gone Gone) {
	if gone.Process == Ended && slices.ContainsFunc(d.held[gone.Name], d.starves) {
		d.plan.do(action.Clear, gone.Name)
	}
}

// starves reports whether an executor of a dead node can be taken off before its
// drain is over. An Idle one is something else in a moment.
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
