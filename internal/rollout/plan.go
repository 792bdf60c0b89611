// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"slices"
	"time"
)

const (
	// soon is the time until the next plan goes on with what this plan may not do at once.
	soon = time.Millisecond
	// atOnce is the longest remaining grace period that counts as no wait.
	atOnce = 5 * time.Second
)

// Decide returns the next step towards the policy. The order of the pods does not matter.
//
//  1. If the cluster is suspended, all pods go at once.
//  2. Ended pods of another template go, since the user has changed the template.
//  3. Outdated pods that have never been connected go.
//  4. Other outdated pods go while enough ready ones remain, those with the least to lose
//     first.
//  5. Pods beyond the places go: ended pods first, since they have nothing to lose, then
//     those never scheduled, never connected, not ready, and ready, and at each of these
//     stages idle pods before waiting ones and busy ones last.
//  6. Ended pods whose back-off is over are replaced.
//  7. Free places are filled.
func Decide(pods []ExecutorManager, policy Policy, now time.Time) Plan {
	policy.Desired = max(0, policy.Desired)
	d := decision{policy: policy, now: now}
	if policy.Suspended {
		return d.suspend(pods)
	}
	d.classify(pods)
	d.delete(d.stale, Outdated)
	d.retire()
	d.shrink()
	d.replace()
	d.fill()
	d.wait(Unobserved, d.unobserved, 0)
	d.wait(Settling, d.settling, 0)
	d.wait(Cordoning, len(d.plan.Cordon), 0)
	return d.plan
}

type decision struct {
	policy Policy
	now    time.Time
	plan   Plan

	// current pods live and are of the wanted template, and outdated pods live and are of
	// another.
	current, outdated []*ExecutorManager
	// ended pods are of the wanted template and have finished or are lost; stale pods are
	// such pods of another template.
	ended, stale []*ExecutorManager
	// leaving pods are to go and have to wait for Flame. Until then they hold their places.
	leaving []*ExecutorManager
	// draining is how many outdated pods are deleted and still have tasks to end.
	// Draining pods hold their places too, or a roll would double the cluster.
	draining int
	// rolling says that there are pods of another template.
	rolling bool
	// ready is how many live pods are ready, and leftOver is how many creations are left
	// to the next plan.
	ready    int
	leftOver int
	// unobserved and settling are how many pods are to go but wait for these reasons.
	unobserved, settling int
}

// suspend deletes all pods, and deletes terminating pods once more if their grace period
// would last longer than atOnce.
func (d *decision) suspend(pods []ExecutorManager) Plan {
	terminating := 0
	var gone []*ExecutorManager
	for i := range pods {
		pod := &pods[i]
		if pod.Terminating {
			terminating++
		}
		if !pod.Terminating || pod.DrainsUntil.Sub(d.now) > atOnce {
			gone = append(gone, pod)
		}
	}
	slices.SortFunc(gone, byName)
	for _, pod := range gone {
		d.plan.Delete = append(d.plan.Delete, Deletion{Name: pod.Name, Reason: Suspended, Now: true})
	}
	d.wait(Terminating, terminating, 0)
	return d.plan
}

// classify puts the pods into their lists, each in the order in which its pods go.
func (d *decision) classify(pods []ExecutorManager) {
	terminating := 0
	d.current = make([]*ExecutorManager, 0, len(pods))
	for i := range pods {
		pod := &pods[i]
		wanted := pod.Hash == d.policy.Hash
		switch {
		case pod.Terminating:
			terminating++
			d.classifyTerminating(pod)
		case pod.ended() && wanted:
			d.ended = append(d.ended, pod)
		case pod.ended():
			d.stale = append(d.stale, pod)
			if !pod.Finished() && !pod.hasNothingToEnd() {
				d.draining++ // This plan deletes the pod.
			}
		case wanted:
			d.current = append(d.current, pod)
		default:
			d.outdated = append(d.outdated, pod)
		}
		if pod.Ready && !pod.Terminating && !pod.ended() {
			d.ready++
		}
	}
	slices.SortFunc(d.ended, leastEvidence)
	slices.SortFunc(d.outdated, leastLoss)
	slices.SortFunc(d.stale, byName)
	// The current pods need no order unless some of them go.
	if d.policy.Desired < len(d.current)+len(d.outdated)+len(d.ended) {
		slices.SortFunc(d.current, leastLoss)
	}
	d.rolling = len(d.outdated)+d.draining > 0
	d.wait(Terminating, terminating, 0)
}

// classifyTerminating has a terminating pod go at once if it has nothing to end, and counts
// it if it drains.
func (d *decision) classifyTerminating(pod *ExecutorManager) {
	drains := pod.DrainsUntil.Sub(d.now)
	switch {
	case pod.ended() && pod.hasNothingToEnd() && drains > atOnce:
		d.delete([]*ExecutorManager{pod}, Lost)
	case pod.Hash != d.policy.Hash && drains > 0:
		d.draining++
	}
}

// places returns how many pods there may be.
func (d *decision) places() int {
	if !d.rolling {
		return d.policy.Desired
	}
	return d.policy.Desired + max(0, d.policy.MaxSurge)
}

// staying returns how many pods hold a place and are not on their way out.
func (d *decision) staying() int { return len(d.current) + len(d.outdated) + len(d.ended) }

// taken returns how many places are taken.
func (d *decision) taken() int { return d.staying() + len(d.leaving) + d.draining }

// retire lets outdated pods go as long as enough ready pods remain. Pods that never
// worked may go at any time, since nothing is lost with them.
func (d *decision) retire() {
	spare := d.ready - max(0, d.policy.Desired-max(0, d.policy.MaxUnavailable))
	chosen := 0
	for _, pod := range d.outdated {
		if pod.worked() && (spare < 0 || pod.Ready && spare == 0) {
			break
		}
		if pod.Ready {
			spare--
			d.ready--
		}
		chosen++
		d.letGo(pod, Outdated)
	}
	d.outdated = d.outdated[chosen:]
	d.wait(NotEnoughReady, len(d.outdated), 0)
}

// letGo takes a live pod one step towards its deletion.
func (d *decision) letGo(pod *ExecutorManager, reason Reason) {
	work := pod.Work
	switch {
	case !pod.worked() || work.Known && work.Cordoned && work.Executors == 0:
		d.delete([]*ExecutorManager{pod}, reason)
		return
	case work.Known && work.Executors > 0:
		d.delete([]*ExecutorManager{pod}, reason)
		if pod.Hash != d.policy.Hash {
			d.draining++
		}
		return
	case !work.Known:
		d.unobserved++
	case work.Idle:
		d.plan.Cordon = append(d.plan.Cordon, pod.Name)
	default:
		d.settling++
	}
	d.leaving = append(d.leaving, pod)
}

// shrink lets the pods beyond the places go.
func (d *decision) shrink() {
	places := d.policy.Desired
	if len(d.outdated) > 0 {
		places = d.places()
	}
	surplus := d.staying() - places
	if surplus <= 0 {
		return
	}
	evidence := min(surplus, len(d.ended))
	d.delete(d.ended[:evidence], ScaledDown)
	d.ended = d.ended[evidence:]
	for range surplus - evidence {
		from := &d.current
		if d.outdatedIsLess() {
			from = &d.outdated
		}
		d.letGo((*from)[0], ScaledDown)
		*from = (*from)[1:]
	}
}

// outdatedIsLess reports whether the next pod to go is an outdated one. Among pods of the
// same stage and rank an outdated pod goes first, since it has to go anyway.
func (d *decision) outdatedIsLess() bool {
	if len(d.outdated) == 0 || len(d.current) == 0 {
		return len(d.current) == 0
	}
	return cmp.Or(cmp.Compare(d.outdated[0].stage(), d.current[0].stage()), cmp.Compare(d.outdated[0].Work.rank(), d.current[0].Work.rank())) <= 0
}

// replace creates a pod in the place of each ended one whose back-off is over,
// unless pods that have yet to leave take its place.
func (d *decision) replace() {
	waiting, next := 0, time.Duration(0)
	room := d.places() - d.taken() + len(d.ended)
	for _, pod := range d.ended {
		failure := pod.failure()
		wait := failure.Wait(d.now)
		switch {
		case wait > 0:
			if waiting == 0 || wait < next {
				next = wait
			}
			waiting++
		case room <= 0:
		case d.create(failure.Count()):
			room--
			d.delete([]*ExecutorManager{pod}, Replaced)
		}
	}
	d.wait(BackOff, waiting, next)
}

// fill creates pods in free places until there are as many of the wanted template as
// desired. Ended pods still count here, whether they are replaced or wait.
func (d *decision) fill() {
	missing := d.policy.Desired - len(d.current) - len(d.ended)
	for range min(missing, d.places()-d.taken()) {
		d.create(0)
	}
	d.wait(MoreToCreate, d.leftOver, soon)
}

// create plans a creation unless the plan is full, and reports whether it did.
func (d *decision) create(failures int) bool {
	if d.policy.MaxPerStep > 0 && len(d.plan.Create) >= d.policy.MaxPerStep {
		d.leftOver++
		return false
	}
	d.plan.Create = append(d.plan.Create, failures)
	return true
}

func (d *decision) delete(pods []*ExecutorManager, reason Reason) {
	for _, pod := range pods {
		d.plan.Delete = append(d.plan.Delete, Deletion{Name: pod.Name, Reason: reason, Now: pod.hasNothingToEnd()})
	}
}

func (d *decision) wait(reason Reason, count int, after time.Duration) {
	if count > 0 {
		d.plan.Wait = append(d.plan.Wait, Wait{Reason: reason, Count: count, For: after})
	}
}

// failure returns the failure of an ended pod, on which its replacement's wait and count
// rest.
func (p *ExecutorManager) failure() Failure {
	ended := p.FinishedAt
	if !p.Finished() {
		ended = p.LostSince
	}
	return Failure{Inherited: p.Failures, CreatedAt: p.CreatedAt, StartedAt: p.StartedAt, FinishedAt: ended}
}
