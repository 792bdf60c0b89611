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

// forgotten has pods replaced that started before the session manager's memory did: the
// session manager knows nothing of their old executors, and such pods never end those.
// Until a pod is replaced it gets new executors, whose tasks are worth waiting for. The
// tasks are waited for as long as Flame has not said that there are none.
//
// Flame workaround: replace-forgotten
func (d *decision) forgotten(pod *podstate.Pod) {
	since := d.in.StateSince
	if !pod.Ended && !since.IsZero() && !pod.StartedAt.IsZero() && pod.StartedAt.Before(since) {
		d.lose(pod, StateLost, since, d.idles(pod.Name, since))
	}
}

// idles reports whether Flame has said, after the time since, that a pod serves no session.
func (d *decision) idles(name string, since time.Time) bool {
	return d.in.Latest.Known() && d.in.Latest.Observation.At.After(since) &&
		!slices.ContainsFunc(d.held[name], observation.Executor.Busy)
}

// joining has Flame asked soon when a pod has connected since Flame was asked last: the
// pod is ready only when Flame says so, and a start or an update waits for that.
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
		// Flame has not given the node's tasks to others yet, and its executors may be at
		// work.
		since = later(since, d.in.SessionManager.ReadySince)
		d.loseAfter(pod, GivenUp, since, since.Add(returnTime), false)
	case !listed && pod.Linked && d.in.Latest.Observation.At.After(pod.LinkSince):
		d.unlisted(pod)
	default:
		d.executors(pod)
	}
}

// gate sets a readiness gate to what Flame says. A gate that was never set counts as not
// ready.
func (d *decision) gate(pod *podstate.Pod, ready bool) {
	if pod.Gate == ready {
		return
	}
	if d.plan.Gates == nil {
		d.plan.Gates = map[string]bool{}
	}
	d.plan.Gates[pod.Name] = ready
}

// cutOff has a pod replaced that had enough time to reconnect. The pod drains, so that
// its tasks are not lost if it reconnects all the same. A pod whose connections were
// refused reconnects at its next try. A pod that was cut off while connections were
// swallowed may hang for longer than its work can wait, and gets less time.
//
// Flame workaround: replace-cut-off
func (d *decision) cutOff(pod *podstate.Pod) {
	d.plan.Urgent = true
	sessionManager := d.in.SessionManager
	if sessionManager.ReadySince.IsZero() {
		return
	}
	since, wait := cutOffSince(pod), reconnectTime
	if !refused(sessionManager) && since.Before(sessionManager.ReadySince.Add(linkDelay)) {
		wait = hangTime
	}
	d.loseAfter(pod, CutOff, since, later(since, sessionManager.ReadySince).Add(wait), false)
}

// refused reports whether every executor manager that tried to reconnect while the session
// manager was away was refused: the session manager was started again in its pod, or the
// one before it had left its Service when it was deleted. Otherwise connections may have
// been swallowed.
func refused(sessionManager podstate.Pod) bool {
	return sessionManager.Restarted || sessionManager.FollowsWithdrawn
}

// cutOffSince returns the time since which a pod that was connected no longer is. For a
// pod that has never been ready the containers' condition dates from the pod's creation,
// however long the image and the start took, and nothing tells when the startup probe saw
// the connection. The latest possible time counts then: startTime after the start.
func cutOffSince(pod *podstate.Pod) time.Time {
	if pod.LinkSince.After(pod.StartedAt) {
		return pod.LinkSince
	}
	return pod.StartedAt.Add(startTime)
}

// unlisted has a pod replaced that Flame has forgotten. A pod whose gate has just closed
// was known until now, and has most likely been cordoned and is about to go. The tasks of
// executors that Flame still lists have not been given to others.
func (d *decision) unlisted(pod *podstate.Pod) {
	since := later(pod.LinkSince, later(pod.GateSince, d.in.SessionManager.ReadySince))
	if pod.Gate {
		since = d.now
	}
	d.loseAfter(pod, Unlisted, since, since.Add(returnTime), len(d.held[pod.Name]) == 0)
}

// executors has Flame send again the executors that the pod could have accepted but did
// not. The time before the pod was connected and the session manager was ready does not
// count.
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

// resync has a node registered again, at growing intervals, and not before Flame has
// answered once more since the last time.
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

// loseAfter loses a pod at the time end.
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
