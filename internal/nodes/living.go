// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"slices"
	"time"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

// forgotten has pods replaced that started before the session manager's memory
// did: it knows nothing of their executors, and they never end them. Until then
// they get new ones, whose tasks are worth waiting for.
func (d *decision) forgotten(pod *Pod) {
	since := d.in.SessionManager.StateSince
	if pod.Process == Alive && !since.IsZero() && !pod.StartedAt.IsZero() && pod.StartedAt.Before(since) {
		d.lose(pod, StateLost, since, !d.serves(pod.Name, since))
	}
}

// serves reports whether Flame has said since a time that a pod serves a session.
func (d *decision) serves(name string, since time.Time) bool {
	return d.in.Latest.Known() && d.in.Latest.Observation.At.After(since) &&
		slices.ContainsFunc(d.held[name], observation.Executor.Busy)
}

// living decides about a pod that runs and is to go on.
func (d *decision) living(pod *Pod) {
	node, listed := d.in.Latest.Observation.Node(pod.Name)
	d.gate(pod, listed && node.State == observation.Ready)
	if pod.StartedAt.IsZero() || d.lost[pod.Name] {
		return
	}
	since := d.in.Latest.Track.Nodes[pod.Name].Since
	switch {
	case pod.Restarted:
		d.lose(pod, RestartedInPlace, pod.StartedAt, true)
	case listed && node.State == observation.NotReady:
		d.lose(pod, GivenUp, since, true)
	case !pod.Linked && pod.Connected:
		d.cutOff(pod)
	case listed && node.State == observation.Unknown:
		d.loseAfter(pod, GivenUp, since, since.Add(returnTime), true)
	case !listed && pod.Linked && d.in.Latest.Observation.At.After(pod.LinkSince):
		d.unlisted(pod)
	default:
		d.executors(pod)
	}
}

// gate has a readiness gate say what Flame says. One that was never set says
// that the node is not ready.
func (d *decision) gate(pod *Pod, ready bool) {
	if pod.Gate == ready {
		return
	}
	if d.plan.Gates == nil {
		d.plan.Gates = map[string]bool{}
	}
	d.plan.Gates[pod.Name] = ready
}

// cutOff has a pod replaced that had time enough to come back. It drains: if it
// comes back all the same, its tasks are not lost.
func (d *decision) cutOff(pod *Pod) {
	d.plan.Urgent = true
	if ready := d.in.SessionManager.ReadySince; !ready.IsZero() {
		d.loseAfter(pod, CutOff, pod.LinkSince, later(pod.LinkSince, ready).Add(reconnectTime), false)
	}
}

// unlisted has a pod replaced that Flame has forgotten. One whose gate has just
// closed was known until now: most likely it was cordoned, and is about to go.
// Tasks of executors that Flame still lists have been given to nobody else.
func (d *decision) unlisted(pod *Pod) {
	since := later(pod.LinkSince, later(pod.GateSince, d.in.SessionManager.ReadySince))
	if pod.Gate {
		since = d.now
	}
	d.loseAfter(pod, Unlisted, since, since.Add(returnTime), len(d.held[pod.Name]) == 0)
}

// executors has those sent again that the pod did not take, though it could: the
// time before it was connected, or the session manager ready, does not count.
func (d *decision) executors(pod *Pod) {
	var oldest time.Time
	for _, executor := range d.held[pod.Name] {
		since := d.in.Latest.Track.Executors[executor.ID].Since
		if executor.State == observation.Void && (oldest.IsZero() || since.Before(oldest)) {
			oldest = since
		}
	}
	if oldest.IsZero() {
		return
	}
	since := later(oldest, later(pod.LinkSince, d.in.SessionManager.ReadySince))
	switch age := d.now.Sub(since); {
	case age >= voidLimit:
		d.lose(pod, Deaf, since, false)
	case age >= voidTime:
		d.plan.Resync = append(d.plan.Resync, pod.Name)
		d.look(since.Add(voidLimit))
	default:
		d.look(since.Add(voidTime))
	}
}

func (d *decision) lose(pod *Pod, reason Reason, since time.Time, useless bool) {
	d.lost[pod.Name] = true
	d.plan.Lost = append(d.plan.Lost, Loss{Pod: pod.Name, Reason: reason, Since: since, Useless: useless})
}

// loseAfter loses a pod when its time is up.
func (d *decision) loseAfter(pod *Pod, reason Reason, since, end time.Time, useless bool) {
	if d.now.Before(end) {
		d.plan.Urgent = true
		d.look(end)
		return
	}
	d.lose(pod, reason, since, useless)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
