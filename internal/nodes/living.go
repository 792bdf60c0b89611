// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"slices"
	"time"

	"github.com/xflops/flame-operator/internal/flame/action"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
	"github.com/xflops/flame-operator/internal/rollout"
)

// forgotten has pods replaced that started before the session manager's memory
// did: it knows nothing of their executors, and they never end them. Until then
// they get new ones, whose tasks are worth waiting for, and are waited for as
// long as Flame has not said that there are none.
//
// Flame workaround: replace-forgotten
func (d *decision) forgotten(pod *podstate.Pod) {
	since := d.in.SessionManager.StateSince
	if !pod.Ended && !since.IsZero() && !pod.StartedAt.IsZero() && pod.StartedAt.Before(since) {
		d.lose(pod, StateLost, since, d.idles(pod.Name, since))
	}
}

// idles reports whether Flame has said since a time that a pod serves no session.
func (d *decision) idles(name string, since time.Time) bool {
	return d.in.Latest.Known() && d.in.Latest.Observation.At.After(since) &&
		!slices.ContainsFunc(d.held[name], observation.Executor.Busy)
}

// joining has Flame asked soon when a pod has connected since it was asked last: the
// pod is ready when Flame says so, and a start or an update waits for that.
func (d *decision) joining(pod *podstate.Pod) {
	unheard := d.in.Latest.Known() && !d.in.Latest.Observation.At.After(pod.LinkSince)
	if !pod.Ended && !pod.Terminating && pod.Linked && !pod.Gate && unheard {
		d.plan.Urgent = true
	}
}

// living decides about a pod that runs and is to go on.
//
// Flame workaround: replace-forgotten
func (d *decision) living(pod *podstate.Pod) {
	node, listed := d.in.Latest.Observation.Node(pod.Name)
	d.gate(pod, listed && node.State == observation.Ready)
	if pod.StartedAt.IsZero() || d.lost[pod.Name] {
		return
	}
	since := d.in.Latest.Track.Nodes[pod.Name].Since
	switch {
	// Flame workaround: fresh-names
	case pod.Restarted:
		d.lose(pod, RestartedInPlace, pod.StartedAt, true)
	case listed && node.State == observation.NotReady:
		d.lose(pod, GivenUp, since, true)
	case !pod.Linked && pod.Connected:
		d.cutOff(pod)
	case listed && node.State == observation.Unknown:
		// Nobody else has its tasks yet, and its executors may be at work.
		since = later(since, d.in.SessionManager.ReadySince)
		d.loseAfter(pod, GivenUp, since, since.Add(returnTime), false)
	case !listed && pod.Linked && d.in.Latest.Observation.At.After(pod.LinkSince):
		d.unlisted(pod)
	default:
		d.executors(pod)
	}
}

// gate has a readiness gate say what Flame says. One that was never set says
// that the node is not ready.
func (d *decision) gate(pod *podstate.Pod, ready bool) {
	if pod.Gate == ready {
		return
	}
	if d.plan.Gates == nil {
		d.plan.Gates = map[string]bool{}
	}
	d.plan.Gates[pod.Name] = ready
}

// cutOff has a pod replaced that had time enough to come back. It drains: if it
// comes back all the same, its tasks are not lost. One that was refused comes
// back at its next try; one that was cut off while connections were swallowed
// may hang, and would for longer than its work can wait.
//
// Flame workaround: replace-cut-off
func (d *decision) cutOff(pod *podstate.Pod) {
	d.plan.Urgent = true
	sessionManager := d.in.SessionManager
	if sessionManager.ReadySince.IsZero() {
		return
	}
	since, wait := cutOffSince(pod), reconnectTime
	if !sessionManager.Refused && since.Before(sessionManager.ReadySince.Add(linkDelay)) {
		wait = hangTime
	}
	d.loseAfter(pod, CutOff, since, later(since, sessionManager.ReadySince).Add(wait), false)
}

// cutOffSince is since when a pod that was connected is not. One that has not been
// ready yet is not so since it was made, however long its image and its start took,
// and nothing tells when its startup probe saw its connection: startTime after its
// start at the latest.
func cutOffSince(pod *podstate.Pod) time.Time {
	if pod.LinkSince.After(pod.StartedAt) {
		return pod.LinkSince
	}
	return pod.StartedAt.Add(startTime)
}

// unlisted has a pod replaced that Flame has forgotten. One whose gate has just
// closed was known until now: most likely it was cordoned, and is about to go.
// Tasks of executors that Flame still lists have been given to nobody else.
func (d *decision) unlisted(pod *podstate.Pod) {
	since := later(pod.LinkSince, later(pod.GateSince, d.in.SessionManager.ReadySince))
	if pod.Gate {
		since = d.now
	}
	d.loseAfter(pod, Unlisted, since, since.Add(returnTime), len(d.held[pod.Name]) == 0)
}

// executors has those sent again that the pod did not take, though it could: the
// time before it was connected, or the session manager ready, does not count.
func (d *decision) executors(pod *podstate.Pod) {
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
		d.resync(pod)
		d.look(since.Add(voidLimit))
	default:
		d.look(since.Add(voidTime))
	}
}

// resync has a node registered again, ever more seldom, and not before Flame has
// said what came of the last time.
//
// Flame workaround: resync
func (d *decision) resync(pod *podstate.Pod) {
	track := d.in.Latest.Track.Nodes[pod.Name]
	next := track.ResyncedAt.Add(rollout.Delay(track.Resyncs))
	switch {
	case d.now.Before(next):
		d.look(next)
	case d.in.Latest.Observation.At.After(track.ResyncedAt):
		d.plan.do(action.Resync, pod.Name)
	}
}

func (d *decision) lose(pod *podstate.Pod, reason Reason, since time.Time, useless bool) {
	d.lost[pod.Name] = true
	d.plan.Lost = append(d.plan.Lost, Loss{Pod: pod.Name, Reason: reason, Since: since, Useless: useless})
}

// loseAfter loses a pod when its time is up.
func (d *decision) loseAfter(pod *podstate.Pod, reason Reason, since, end time.Time, useless bool) {
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
