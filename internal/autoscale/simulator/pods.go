// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"cmp"
	"fmt"
	"slices"
)

// pod is an executor manager.
type pod struct {
	name      string
	cpus      int
	readyAt   int
	ending    bool
	lostAt    int
	executors []*executor
}

func (p *pod) ready(now int) bool { return now >= p.readyAt && p.lostAt == 0 }

func (p *pod) used() int {
	used := 0
	for _, e := range p.executors {
		used += e.session.cpus
	}
	return used
}

// drained is how long Flame takes to give the tasks of a lost executor manager back.
const drained = 30

// runPods removes pods that have ended. The tasks of lost ones wait again after a while.
func (w *world) runPods() {
	w.pods = slices.DeleteFunc(w.pods, func(p *pod) bool {
		if p.lostAt == 0 {
			return p.ending && len(p.executors) == 0
		}
		if w.second-p.lostAt < drained {
			return false
		}
		for _, e := range p.executors {
			if e.task > 0 {
				e.session.running--
				e.session.pending = append(e.session.pending, e.task)
				w.result.Repeated++
			}
		}
		return true
	})
}

// lose has pods vanish, those first that most is lost with. The tasks of lost pods do not
// end, but Flame counts them as running until it has noticed.
func (w *world) lose(count int) {
	live := w.byWorth()
	slices.Reverse(live)
	for _, p := range live[:min(count, len(live))] {
		p.ending, p.lostAt = true, max(1, w.second)
	}
}

// resize creates pods or has some end: those first that are not ready, then idle ones. Busy
// pods go only when there would still be too many; they end their tasks and take no more.
func (w *world) resize(desired int) {
	live := w.byWorth()
	for range desired - len(live) {
		w.named++
		w.pods = append(w.pods, &pod{
			name: fmt.Sprintf("executor-manager-%05d", w.named), cpus: w.cluster.CPUs, readyAt: w.second + w.cluster.PodStart.Seconds(),
		})
	}
	for _, p := range live[:max(0, len(live)-desired)] {
		p.ending = true
	}
}

// byWorth orders the pods that are not ending, those first that least is lost with.
func (w *world) byWorth() []*pod {
	live := slices.DeleteFunc(slices.Clone(w.pods), func(p *pod) bool { return p.ending })
	worth := func(p *pod) int {
		switch {
		case !p.ready(w.second):
			return 0
		case len(p.executors) == 0:
			return 1
		default:
			return 2
		}
	}
	slices.SortStableFunc(live, func(a, b *pod) int {
		return cmp.Or(cmp.Compare(worth(a), worth(b)), cmp.Compare(len(a.executors), len(b.executors)), cmp.Compare(b.readyAt, a.readyAt))
	})
	return live
}
