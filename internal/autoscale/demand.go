// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package autoscale

import (
	"cmp"
	"slices"
	"strings"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

// demand is what the load asks for.
type demand struct {
	// lacking counts the executors that sessions lack, by their size.
	lacking map[observation.Resources]int
	// misfits counts the sessions by kinds of executors that have room nowhere; unfit lists
	// the kinds.
	misfits map[Unfit]int
	unfit   []Unfit
	// stuck counts the sessions that reached the retry limit with tasks pending.
	stuck int
	// behind counts the sessions with pending tasks that get nothing because a session of
	// priority blocker has pending tasks, too, and will not get rid of them.
	behind  int
	blocker int
	// sharers is how many sessions share the cluster under drf. most is the largest number
	// of executors that one of them wants, and largest is their size.
	sharers int
	largest observation.Resources
	most    int
}

// demands computes what each session would have if there were room for all, and from that
// what each lacks. Sessions go by priority: Flame gives nothing to those below the highest
// priority that has pending tasks. If that priority will get all that it wants, its tasks
// will not be pending for long. If not, because a session may have no more executors or can
// have none, those below it wait for as long, and more executor managers would not help
// them.
func (in *Input) demands(held map[string]int) demand {
	d := demand{lacking: map[observation.Resources]int{}, misfits: map[Unfit]int{}, sharers: in.sharers(held)}
	blocked := false
	for _, level := range in.levels() {
		blocks := false
		for _, s := range level {
			blocks = d.add(in, s, held[s.ID], blocked) || blocks
		}
		if blocks && in.Flame.Policy == Priority && !blocked {
			blocked, d.blocker = true, level[0].Priority
		}
	}
	d.unfit = sortUnfit(d.misfits, in.Flame.Shape)
	return d
}

// add counts a session that holds some executors, and reports whether its pending tasks
// stay pending. A session that gets no more lacks nothing, and keeps what it holds.
func (d *demand) add(in *Input, s *observation.Session, held int, blocked bool) bool {
	want, waits := in.wanted(s), s.Pending > 0
	if blocked {
		if waits {
			d.behind++
		}
		return waits
	}
	if d.hopeless(in, s, want) {
		return waits
	}
	if want > held {
		d.lacking[in.request(s)] += want - held
	}
	if want > d.most {
		d.most, d.largest = want, in.request(s)
	}
	return waits && want < tasks(s)
}

// hopeless reports whether a session can get no more executors, and counts why.
func (d *demand) hopeless(in *Input, s *observation.Session, want int) bool {
	kind, misfit := in.unfit(s)
	blocked := s.Blocked(in.Flame.Started)
	switch {
	case misfit && want > 0:
		d.misfits[kind]++
	case blocked && s.Pending > 0:
		d.stuck++
	}
	return misfit || blocked
}

// open returns the sessions that take tasks and are scheduled.
func (in *Input) open() []*observation.Session {
	var open []*observation.Session
	for i := range in.Observation.Sessions {
		if s := &in.Observation.Sessions[i]; s.Open {
			open = append(open, s)
		}
	}
	return open
}

// levels groups the open sessions by priority, the highest first; with drf there is one
// level. Each level is ordered by age, as in Flame.
func (in *Input) levels() [][]*observation.Session {
	sessions := in.open()
	priority := func(s *observation.Session) int {
		if in.Flame.Policy == Priority {
			return s.Priority
		}
		return 0
	}
	slices.SortFunc(sessions, func(a, b *observation.Session) int {
		return cmp.Or(cmp.Compare(priority(b), priority(a)), a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID))
	})
	var levels [][]*observation.Session
	for i, s := range sessions {
		if i == 0 || priority(s) != priority(sessions[i-1]) {
			levels = append(levels, nil)
		}
		levels[len(levels)-1] = append(levels[len(levels)-1], s)
	}
	return levels
}

// wanted returns how many executors Flame gives a session if there is room.
//
// Policy priority wants an executor for each task, in whole batches rounded down, at most
// MaxInstances, and at least MinInstances even without tasks. By priority a session with
// less than a batch of tasks wants nothing, but drf, which is asked next, gives the session
// a batch all the same while it has none; otherwise its tasks would wait forever. Policy
// drf does not know MinInstances, and gives batches as long as a task is pending. Gang
// rounds up, since it gives nothing but whole batches.
//
// Flame workaround: batches
func (in *Input) wanted(s *observation.Session) int {
	batch := 1
	if in.Flame.Gang {
		batch = max(1, s.BatchSize)
	}
	want := tasks(s)
	if in.Flame.Policy == Priority && want > batch {
		want -= want % batch
	}
	if s.MaxInstances != nil {
		want = min(want, max(0, *s.MaxInstances))
	}
	if in.Flame.Policy == Priority {
		want = max(want, s.MinInstances)
	}
	return (want + batch - 1) / batch * batch
}

func tasks(s *observation.Session) int { return max(0, s.Pending) + max(0, s.Running) }

func (in *Input) request(s *observation.Session) observation.Resources {
	if s.Resreq == nil || *s.Resreq == (observation.Resources{}) {
		return in.Flame.Slot
	}
	return *s.Resreq
}

// unfit reports whether a session's executors have no room in a new executor manager, or a
// batch of them has none in as many as there may be.
func (in *Input) unfit(s *observation.Session) (Unfit, bool) {
	request := in.request(s)
	each := fits(in.Flame.Shape, request)
	if each == 0 {
		return Unfit{Request: request}, true
	}
	if in.Flame.Gang && (s.BatchSize-1)/each+1 > in.Bounds.Max {
		return Unfit{Request: request, Batch: s.BatchSize}, true
	}
	return Unfit{}, false
}

// sharers returns how many sessions share the cluster by drf's count: the open ones, idle
// or not, and others that still hold executors.
func (in *Input) sharers(held map[string]int) int {
	all := map[string]bool{}
	for _, s := range in.open() {
		all[s.ID] = true
	}
	for id := range held {
		all[id] = true
	}
	return len(all)
}

func sortUnfit(counts map[Unfit]int, shape observation.Resources) []Unfit {
	var list []Unfit
	for kind, sessions := range counts {
		kind.Sessions = sessions
		list = append(list, kind)
	}
	order := larger(shape)
	slices.SortFunc(list, func(a, b Unfit) int {
		return cmp.Or(order(a.Request, b.Request), cmp.Compare(b.Batch, a.Batch))
	})
	return list
}
