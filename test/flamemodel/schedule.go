// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flamemodel

import (
	"maps"
	"slices"
	"time"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

// Step does what is due: a node is given up, each session gets one executor more
// at most, and each executor comes one state further.
func (f *Flame) Step() {
	f.Next = time.Time{}
	if !f.Up {
		return
	}
	f.hear()
	f.giveUp()
	for _, session := range f.sessions {
		f.allocate(session)
	}
	for _, id := range slices.Sorted(maps.Keys(f.Executors)) {
		f.progress(f.Executors[id])
	}
}

// due says whether it is time, and else remembers when it is.
func (f *Flame) due(at time.Time) bool {
	later := f.world.Now().Before(at)
	if later && (f.Next.IsZero() || at.Before(f.Next)) {
		f.Next = at
	}
	return !later
}

// hear has nodes that live say what they have, those too that are drained by
// mistake.
func (f *Flame) hear() {
	for name, n := range f.Nodes {
		if n.Room == 0 && f.streams[name] && f.world.Acts(name) && f.due(n.beatAt) {
			n.Room = f.room
		}
	}
}

// giveUp takes everything from nodes that were not back in time.
func (f *Flame) giveUp() {
	for name, n := range f.Nodes {
		if n.GivenUpAt.IsZero() || !f.due(n.GivenUpAt) {
			continue
		}
		n.State, n.GivenUpAt, n.Fenced = observation.NotReady, time.Time{}, false
		for _, e := range f.On(name) {
			e.giveBack()
			delete(f.Executors, e.ID)
		}
	}
}

// allocate gives a session one executor more, if it is short of them: an idle
// one, or a new one on whatever node has room, dead or alive. A Void executor is
// taken for one that is about to come, for ever.
func (f *Flame) allocate(session string) {
	open := f.Count(session, Pending) + f.Count(session, Running)
	void, idle := false, (*Executor)(nil)
	for _, id := range slices.Sorted(maps.Keys(f.Executors)) {
		e := f.Executors[id]
		switch {
		case e.Session == session:
			open--
		case e.State == observation.Void:
			void = true
		case e.State == observation.Idle && idle == nil:
			idle = e
		}
	}
	if open <= 0 || f.Count(session, Pending) == 0 {
		return
	}
	if idle != nil {
		idle.State, idle.Session = observation.Binding, session
		return
	}
	var roomy []string
	for _, name := range slices.Sorted(maps.Keys(f.Nodes)) {
		if int64(len(f.On(name))) < f.Nodes[name].Room {
			roomy = append(roomy, name)
		}
	}
	if !void && len(roomy) > 0 {
		f.newExecutor(roomy[f.world.Picks(len(roomy))])
	}
}

// progress is what an executor and its process do together.
func (f *Flame) progress(e *Executor) {
	if e.State == observation.Idle && !f.waiting() {
		e.State = observation.Releasing
	}
	if f.Nodes[e.Node] == nil || !f.streams[e.Node] || !f.world.Acts(e.Node) {
		return
	}
	switch e.State {
	case observation.Void:
		if !e.Unheard {
			e.State = observation.Idle
		}
	case observation.Releasing:
		delete(f.Executors, e.ID)
	case observation.Binding:
		if !f.world.Drains(e.Node) {
			e.State, e.waits, f.instances[e.ID] = observation.Bound, f.world.Now(), e.Node
		}
	case observation.Bound, observation.Unbinding:
		f.work(e)
	}
}

// waiting says whether a task of any session does.
func (f *Flame) waiting() bool {
	return slices.ContainsFunc(f.Tasks, func(t *Task) bool { return t.State == Pending })
}

// work is what an executor does for its session.
func (f *Flame) work(e *Executor) {
	if e.Task != nil {
		if !f.due(e.Task.StartedAt.Add(e.Task.length)) {
			return
		}
		e.Task.State, e.Task, e.waits = Succeeded, nil, f.world.Now()
	}
	if e.State == observation.Bound && (f.launch(e) || !f.due(e.waits.Add(Release))) {
		return
	}
	e.State, e.Session = observation.Idle, ""
	delete(f.instances, e.ID)
}
