// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package sessionmanager

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/standin/config"
)

// fallback is an executor's size when neither the session nor the cluster says.
var fallback = config.Resources{CPU: 1, Memory: 1 << 30}

func (s *State) createSession(id string, spec *flamev1.SessionSpec) (*session, error) {
	if err := aligned(spec); err != nil {
		return nil, err
	}
	if s.store.durable() {
		if s.applications[spec.GetApplication()] == nil {
			return nil, notFound("Application %s not found", spec.GetApplication())
		}
		if s.sessions[id] != nil {
			return nil, alreadyExists("Session '%s' already exists", id)
		}
	}
	ssn := newSession()
	ssn.ID = id
	ssn.Application = spec.GetApplication()
	ssn.CommonData = spec.CommonData
	ssn.MinInstances = spec.GetMinInstances()
	ssn.MaxInstances = spec.MaxInstances
	ssn.BatchSize = s.batchSize(spec)
	ssn.Priority = spec.GetPriority()
	ssn.Resreq = s.resreq(spec)
	ssn.Created = seconds()
	if err := s.store.saveSession(ssn); err != nil {
		return nil, internal("%v", err)
	}
	s.sessions[id] = ssn
	s.evict()
	return ssn, nil
}

// openSession returns a session that is open, or makes it.
func (s *State) openSession(id string, spec *flamev1.SessionSpec) (*session, error) {
	ssn := s.sessions[id]
	switch {
	case ssn == nil && spec == nil:
		return nil, notFound("Session %s not found", id)
	case ssn == nil:
		return s.createSession(id, spec)
	case ssn.Closed:
		return nil, invalidState("Session %s is not open", id)
	case spec != nil && !s.matches(ssn, spec):
		return nil, invalidState("session <%s> spec mismatch", id)
	}
	return ssn, nil
}

// closeSession cancels the pending tasks of a session. The session's executors leave at once.
func (s *State) closeSession(id string) (*session, error) {
	ssn := s.sessions[id]
	if ssn == nil {
		return nil, notFound("session <%s>", id)
	}
	if ssn.count(running) > 0 {
		return nil, internal("Cannot close session with running tasks")
	}
	ssn.Closed, ssn.Completed = true, seconds()
	for _, t := range ssn.tasks {
		if t.State != pending {
			continue
		}
		// A dropped task is cancelled in the storage only.
		record := *t
		record.State, record.Completed = cancelled, ssn.Completed
		if ssn.queue[t.ID] {
			ssn.set(t, cancelled)
			t.Completed = ssn.Completed
		}
		if err := s.store.saveTask(id, &record); err != nil {
			return nil, internal("%v", err)
		}
	}
	if err := s.store.saveSession(ssn); err != nil {
		return nil, internal("%v", err)
	}
	announce(&ssn.arrival)
	for _, t := range ssn.tasks {
		announce(&t.changed)
	}
	s.evict()
	return ssn, nil
}

func (s *State) deleteSession(id string) (*session, error) {
	ssn := s.sessions[id]
	if ssn == nil {
		return nil, notFound("session <%s>", id)
	}
	if s.store.durable() && !ssn.Closed {
		return nil, internal("Cannot delete open session")
	}
	if err := s.store.deleteSession(id); err != nil {
		return nil, internal("%v", err)
	}
	delete(s.sessions, id)
	if err := s.events.forget(id); err != nil {
		return nil, internal("%v", err)
	}
	return ssn, nil
}

// evict forgets the oldest closed sessions while there are too many. Forgotten sessions
// stay in the storage, where nothing reaches them before the next restart.
func (s *State) evict() {
	if s.cluster.MaxSessions == nil {
		return
	}
	var closed []*session
	for _, ssn := range s.sessions {
		if ssn.Closed {
			closed = append(closed, ssn)
		}
	}
	slices.SortFunc(closed, func(a, b *session) int { return cmp.Compare(a.Completed, b.Completed) })
	for len(s.sessions) >= *s.cluster.MaxSessions && len(closed) > 0 {
		delete(s.sessions, closed[0].ID)
		closed = closed[1:]
	}
}

func (s *State) resreq(spec *flamev1.SessionSpec) config.Resources {
	switch {
	case spec.Resreq != nil:
		return resources(spec.Resreq)
	case s.cluster.Resreq != nil:
		return *s.cluster.Resreq
	}
	return fallback
}

// batchSize is what the session asks for in 0.6.0, and 1 in later versions.
func (s *State) batchSize(spec *flamev1.SessionSpec) uint32 {
	if !flame060() {
		return 1
	}
	return max(spec.GetBatchSize(), 1)
}

func (s *State) matches(ssn *session, spec *flamev1.SessionSpec) bool {
	return ssn.Application == spec.GetApplication() &&
		ssn.Resreq == s.resreq(spec) &&
		ssn.MinInstances == spec.GetMinInstances() &&
		(ssn.MaxInstances == nil) == (spec.MaxInstances == nil) && orZero(ssn.MaxInstances) == spec.GetMaxInstances() &&
		ssn.BatchSize == s.batchSize(spec) &&
		ssn.Priority == spec.GetPriority() &&
		bytes.Equal(ssn.CommonData, spec.GetCommonData())
}

// aligned refuses bounds that are no multiples of the batch, in 0.6.0.
func aligned(spec *flamev1.SessionSpec) error {
	batch := spec.GetBatchSize()
	if batch <= 1 || !flame060() {
		return nil
	}
	if spec.GetMinInstances()%batch != 0 || spec.GetMaxInstances()%batch != 0 {
		return invalidState("min_instances (%d) and max_instances (%d) must be multiples of batch_size (%d)",
			spec.GetMinInstances(), spec.GetMaxInstances(), batch)
	}
	return nil
}

func orZero(value *uint32) uint32 {
	if value == nil {
		return 0
	}
	return *value
}
