// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"cmp"
	"slices"
)

// session is one of Flame's sessions.
type session struct {
	id           string
	priority     int
	created      int
	minInstances int
	maxInstances *int
	batch, cpus  int
	// pending holds how many seconds each waiting task takes.
	pending []int
	running int
	closed  bool
	blocked bool
}

// executor serves a session. An executor without a task waits for the next one.
type executor struct {
	session *session
	// task is how long the task takes, endsAt when it ends; 0 without a task.
	task, endsAt int
	waitsSince   int
}

func (w *world) gang() bool { return w.cluster.FlameVersion == "" || w.cluster.FlameVersion == "0.6.0" }

// change opens the session of an event if it is not there, and does to it what the event
// says.
func (w *world) change(e Event) {
	i := slices.IndexFunc(w.sessions, func(s *session) bool { return s.id == e.Session && !s.closed })
	if i < 0 {
		w.sessions = append(w.sessions, &session{
			id: e.Session, priority: e.Priority, created: w.second, minInstances: e.MinInstances, maxInstances: e.MaxInstances,
			batch: max(1, e.BatchSize), cpus: max(1, e.CPUs),
		})
		i = len(w.sessions) - 1
	}
	s := w.sessions[i]
	each := e.Each.Seconds()
	if each == 0 {
		each = 10
	}
	for range e.Tasks {
		s.pending = append(s.pending, each)
	}
	s.blocked = s.blocked || e.Block
	if e.Close {
		s.closed, s.pending, s.running = true, nil, 0
		for _, p := range w.pods {
			p.executors = slices.DeleteFunc(p.executors, func(x *executor) bool { return x.session == s })
		}
	}
}

// runTasks ends tasks whose time is over and starts the next ones. Executors go if they
// have waited long enough, or if their pods end.
func (w *world) runTasks() {
	for _, p := range w.pods {
		if p.lostAt > 0 {
			continue
		}
		for _, e := range p.executors {
			if e.task > 0 && w.second >= e.endsAt {
				e.session.running--
				w.result.Finished++
				e.task, e.waitsSince = 0, w.second
			}
		}
		p.executors = slices.DeleteFunc(p.executors, func(e *executor) bool {
			return e.task == 0 && (p.ending || w.second-e.waitsSince >= w.cluster.DelayRelease.Seconds())
		})
		for _, e := range p.executors {
			if e.task == 0 && len(e.session.pending) > 0 {
				e.launch(w.second)
			}
		}
	}
}

func (e *executor) launch(now int) {
	e.task, e.session.pending = e.session.pending[0], e.session.pending[1:]
	e.endsAt = now + e.task
	e.session.running++
}

// perSecond is how many batches a session is given in a second: Flame's scheduler runs ten
// times a second, and gives one batch each time.
const perSecond = 10

// schedule gives executors to sessions, in the order of Flame's policies.
func (w *world) schedule() {
	for range perSecond {
		given := false
		for _, s := range w.ordered() {
			if w.underused(s) && !w.atLimit(s) {
				given = w.give(s) || given
			}
		}
		if !given {
			return
		}
	}
}

// ordered returns the open sessions as they are served: by priority, and among
// equals those first that have less.
func (w *world) ordered() []*session {
	open := slices.DeleteFunc(slices.Clone(w.sessions), func(s *session) bool { return s.closed })
	slices.SortStableFunc(open, func(a, b *session) int {
		byPriority := 0
		if w.cluster.Policy != "drf" {
			byPriority = cmp.Compare(b.priority, a.priority)
		}
		return cmp.Or(byPriority, cmp.Compare(w.cpus(a), w.cpus(b)))
	})
	return open
}

// underused asks the plugins in turn: priority, unless the policy is drf, then drf.
func (w *world) underused(s *session) bool {
	if s.blocked {
		return false
	}
	if w.cluster.Policy != "drf" {
		for _, other := range w.sessions {
			if !other.closed && other.priority > s.priority && len(other.pending) > 0 {
				return false
			}
		}
		if w.cpus(s) < w.granted(s) {
			return true
		}
	}
	sharers := 0
	for _, other := range w.sessions {
		if !other.closed {
			sharers++
		}
	}
	return len(s.pending) > 0 && w.cpus(s)*sharers < w.capacity()
}

// granted returns how many CPUs priority gives a session: what it demands, as far as the
// sessions before it leave any.
func (w *world) granted(s *session) int {
	before := slices.DeleteFunc(slices.Clone(w.sessions), func(s *session) bool { return s.closed })
	slices.SortStableFunc(before, func(a, b *session) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.created, b.created))
	})
	remaining := w.capacity()
	for _, other := range before {
		demand := len(other.pending) + other.running
		if w.gang() {
			demand = demand / other.batch * other.batch
		}
		if other.maxInstances != nil {
			demand = min(demand, *other.maxInstances)
		}
		granted := min(max(demand, other.minInstances)*other.cpus, remaining)
		if other == s {
			return granted
		}
		remaining -= granted
	}
	return 0
}

func (w *world) capacity() int {
	total := 0
	for _, p := range w.pods {
		if p.ready(w.second) && !p.ending {
			total += p.cpus
		}
	}
	return total
}

// cpus returns how many CPUs a session holds.
func (w *world) cpus(s *session) int { return w.holds(s) * s.cpus }

func (w *world) holds(s *session) int {
	count := 0
	for _, p := range w.pods {
		for _, e := range p.executors {
			if e.session == s {
				count++
			}
		}
	}
	return count
}

func (w *world) atLimit(s *session) bool {
	return s.maxInstances != nil && w.holds(s) >= *s.maxInstances
}

// give makes a batch of executors, or none if there is no room for all of it.
func (w *world) give(s *session) bool {
	batch := 1
	if w.gang() {
		batch = s.batch - w.holds(s)%s.batch
	}
	made := map[*pod]int{}
	for range batch {
		p := w.place(s, made)
		if p == nil {
			return false
		}
		made[p] += s.cpus
	}
	for _, p := range w.pods {
		for range made[p] / s.cpus {
			e := &executor{session: s, waitsSince: w.second}
			p.executors = append(p.executors, e)
			if len(s.pending) > 0 {
				e.launch(w.second)
			}
		}
	}
	return true
}

// place finds room, starting at another pod each time.
func (w *world) place(s *session, made map[*pod]int) *pod {
	for i := range w.pods {
		p := w.pods[(i+w.turn)%len(w.pods)]
		if p.ready(w.second) && !p.ending && p.cpus-p.used()-made[p] >= s.cpus {
			w.turn += i + 1
			return p
		}
	}
	return nil
}
