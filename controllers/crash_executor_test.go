// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import "github.com/xflops/flame-operator/internal/flame/observation"

// progress is what an executor and its node's process do together.
func (m *modelFlame) progress(e *observation.Executor) {
	w := m.work[e.ID]
	if !m.heard(e.Node) {
		if p := m.world.process(e.Node); p != nil && p.alive && p.linked { // It is halted.
			m.world.wake(p.drainsSince.Add((m.world.now().Sub(p.drainsSince)/haltEvery)*haltEvery + halt))
		}
		return
	}
	before := e.State
	switch e.State {
	case observation.Void:
		if !w.unheard {
			e.State = observation.Idle
		}
	case observation.Idle:
		if m.number(waiting) == 0 {
			e.State = observation.Released
			delete(m.work, e.ID)
		}
	case observation.Binding:
		// An instance that starts while its executor manager drains gets no socket.
		if m.world.process(e.Node).drainsSince.IsZero() {
			e.State, w.since = observation.Bound, m.world.now()
		}
	case observation.Bound, observation.Unbinding:
		m.serve(e, w)
	}
	m.world.moved = m.world.moved || e.State != before
}

// serve is what an executor does for its session.
func (m *modelFlame) serve(e *observation.Executor, w *modelWork) {
	now := m.world.now()
	if w.task != nil {
		if m.world.wake(w.task.endAt); now.Before(w.task.endAt) {
			return
		}
		w.task.state, w.task, w.since = succeeded, nil, now
		m.world.moved = true
	}
	if e.State == observation.Bound {
		for _, t := range m.tasks {
			if t.state == waiting {
				t.state, t.endAt, w.task = running, now.Add(t.length), t
				t.runs++
				m.world.moved = true
				m.world.wake(t.endAt)
				return
			}
		}
		if end := w.since.Add(release); now.Before(end) {
			m.world.wake(end)
			return
		}
	}
	e.State, e.Session = observation.Idle, ""
}
