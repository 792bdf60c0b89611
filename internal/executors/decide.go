// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package executors

import (
	"slices"
	"time"

	"github.com/xflops/flame-operator/internal/backoff"
)

// soon is when to go on with what one plan may not do at once.
const soon = time.Millisecond

// Decide returns the next step towards the policy. The order of the pods is of
// no consequence.
//
//  1. Pods that terminate count for nothing.
//  2. Nothing desired: everything goes.
//  3. Finished pods of another template go; the user changed something.
//  4. Outdated pods that were never ready go.
//  5. Other outdated pods go while enough ready ones remain, those first that
//     are cut off from the session manager.
//  6. What is beyond the places goes: finished pods first, since they have
//     nothing to lose, then those never scheduled, not ready, outdated, and at
//     last the youngest ready ones.
//  7. Finished pods whose back-off is over are replaced.
//  8. Free places are filled.
func Decide(pods []Pod, policy Policy, now time.Time) Plan {
	policy.Desired = max(0, policy.Desired)
	d := decision{policy: policy, now: now}
	d.sort(pods)
	if policy.Desired == 0 {
		d.delete(d.stale, ScaledDown)
		d.delete(d.finished, ScaledDown)
		d.delete(d.outdated, ScaledDown)
		d.delete(d.current, ScaledDown)
		return d.plan
	}
	d.delete(d.stale, Outdated)
	d.retire()
	d.shrink()
	d.replace()
	d.fill()
	return d.plan
}

// decision holds the pods, parted by what matters, and the plan as it grows.
// Pods that the plan deletes leave their part.
type decision struct {
	policy Policy
	now    time.Time
	plan   Plan

	// current pods live and are of the wanted template, outdated ones live and
	// are not.
	current, outdated []*Pod
	// finished pods are of the wanted template, stale ones are not.
	finished, stale []*Pod
	ready           int
	leftOver        int
}

func (d *decision) sort(pods []Pod) {
	terminating := 0
	d.current = make([]*Pod, 0, len(pods))
	for i := range pods {
		pod := &pods[i]
		wanted := pod.Hash == d.policy.Hash
		switch {
		case pod.Terminating:
			terminating++
		case pod.Finished && wanted:
			d.finished = append(d.finished, pod)
		case pod.Finished:
			d.stale = append(d.stale, pod)
		case wanted:
			d.current = append(d.current, pod)
		default:
			d.outdated = append(d.outdated, pod)
		}
		if pod.Ready && !pod.Terminating && !pod.Finished {
			d.ready++
		}
	}
	slices.SortFunc(d.finished, leastEvidence)
	slices.SortFunc(d.outdated, leastLoss)
	slices.SortFunc(d.stale, byName)
	// The current ones need no order unless some of them go.
	if d.policy.Desired < len(d.current)+len(d.outdated)+len(d.finished) {
		slices.SortFunc(d.current, leastLoss)
	}
	d.wait(Terminating, terminating, 0)
}

// places is how many pods may live or have finished at the same time.
func (d *decision) places() int {
	if len(d.outdated) == 0 {
		return d.policy.Desired
	}
	return d.policy.Desired + max(0, d.policy.MaxSurge)
}

func (d *decision) taken() int { return len(d.current) + len(d.outdated) + len(d.finished) }

// retire deletes outdated pods. Those that were never ready do no work. Of the
// others, those that are cut off go while enough pods are ready, of whatever
// template, and then as many ready ones as leave enough. If the pods of a new
// template never become ready, there are never enough, and the roll stops with
// the old ones at work. So it does while none is ready because the session
// manager is away.
func (d *decision) retire() {
	spare := d.ready - max(0, d.policy.Desired-max(0, d.policy.MaxUnavailable))
	gone := 0
	for _, pod := range d.outdated {
		if pod.worked() && spare < 0 {
			break
		}
		if pod.Ready {
			if spare == 0 {
				break
			}
			spare--
			d.ready--
		}
		gone++
	}
	d.delete(d.outdated[:gone], Outdated)
	d.outdated = d.outdated[gone:]
	d.wait(NotEnoughReady, len(d.outdated), 0)
}

// shrink deletes what is beyond the places. It is the ready pods' turn only when
// no other is left, so at least as many of them remain as are desired.
func (d *decision) shrink() {
	surplus := d.taken() - d.places()
	if surplus <= 0 {
		return
	}
	evidence := min(surplus, len(d.finished))
	d.delete(d.finished[:evidence], ScaledDown)
	d.finished = d.finished[evidence:]

	for range surplus - evidence {
		if d.outdatedIsLess() {
			d.delete(d.outdated[:1], ScaledDown)
			d.outdated = d.outdated[1:]
		} else {
			d.delete(d.current[:1], ScaledDown)
			d.current = d.current[1:]
		}
	}
}

// outdatedIsLess says whether the next pod to go is an outdated one. Among pods
// of the same rank it is, since it would have to go anyway.
func (d *decision) outdatedIsLess() bool {
	if len(d.outdated) == 0 || len(d.current) == 0 {
		return len(d.current) == 0
	}
	return d.outdated[0].rank() <= d.current[0].rank()
}

// replace creates a pod in the place of each finished one whose back-off is over.
func (d *decision) replace() {
	waiting, next := 0, time.Duration(0)
	for _, pod := range d.finished {
		failure := pod.failure()
		wait := failure.Wait(d.now)
		switch {
		case wait > 0:
			if waiting == 0 || wait < next {
				next = wait
			}
			waiting++
		case d.create(failure.Count()):
			d.plan.Delete = append(d.plan.Delete, Deletion{Name: pod.Name, Reason: Replaced})
		}
	}
	d.wait(BackOff, waiting, next)
}

// fill creates pods in free places, as long as more of the wanted template are
// to be had. Finished pods still count here, whether they are replaced or wait.
func (d *decision) fill() {
	missing := d.policy.Desired - len(d.current) - len(d.finished)
	for range min(missing, d.places()-d.taken()) {
		d.create(0)
	}
	d.wait(MoreToCreate, d.leftOver, soon)
}

func (d *decision) create(failures int) bool {
	if d.policy.MaxPerStep > 0 && len(d.plan.Create) >= d.policy.MaxPerStep {
		d.leftOver++
		return false
	}
	d.plan.Create = append(d.plan.Create, Creation{Failures: failures})
	return true
}

func (d *decision) delete(pods []*Pod, reason Reason) {
	for _, pod := range pods {
		d.plan.Delete = append(d.plan.Delete, Deletion{Name: pod.Name, Reason: reason})
	}
}

func (d *decision) wait(reason Reason, count int, after time.Duration) {
	if count > 0 {
		d.plan.Wait = append(d.plan.Wait, Wait{Reason: reason, Count: count, For: after})
	}
}

func (p *Pod) failure() backoff.Failure {
	return backoff.Failure{Inherited: p.Failures, CreatedAt: p.CreatedAt, StartedAt: p.StartedAt, FinishedAt: p.FinishedAt}
}
