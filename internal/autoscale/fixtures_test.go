// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package autoscale_test

import (
	"fmt"
	"time"

	"github.com/xflops/flame-operator/internal/autoscale"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

const gi = int64(1) << 30

// base is an input for executor managers of one CPU under policy priority, with
// nothing to do.
func base(change func(*autoscale.Input)) autoscale.Input {
	in := autoscale.Input{
		Load: &autoscale.Load{},
		Flame: autoscale.Flame{
			Policy: autoscale.Priority, Gang: true,
			Slot: autoscale.Resources{CPU: 1, Memory: gi}, Shape: autoscale.Resources{CPU: 1, Memory: 64 * gi},
		},
		Bounds:   autoscale.Bounds{Max: 100, Delay: 2 * time.Minute},
		Previous: &autoscale.Memory{},
		Now:      noon,
	}
	if change != nil {
		change(&in)
	}
	return in
}

// with is base with sessions.
func with(sessions ...autoscale.Session) autoscale.Input {
	return base(func(in *autoscale.Input) { in.Load.Sessions = sessions })
}

// tasks is a session with tasks.
func tasks(id string, pending, running int, changes ...func(*autoscale.Session)) autoscale.Session {
	s := autoscale.Session{ID: id, CreatedAt: noon, Pending: pending, Running: running}
	for _, change := range changes {
		change(&s)
	}
	return s
}

func priority(p int64) func(*autoscale.Session) { return func(s *autoscale.Session) { s.Priority = p } }
func atMost(n int) func(*autoscale.Session) {
	return func(s *autoscale.Session) { s.MaxInstances = &n }
}
func atLeast(n int) func(*autoscale.Session) {
	return func(s *autoscale.Session) { s.MinInstances = n }
}
func batches(n int) func(*autoscale.Session) { return func(s *autoscale.Session) { s.BatchSize = n } }
func blocked(s *autoscale.Session)           { s.Blocked = true }
func of(r autoscale.Resources) func(*autoscale.Session) {
	return func(s *autoscale.Session) { s.Request = r }
}

// pods adds ready executor managers, each with executors of the named sessions.
func pods(in autoscale.Input, executors ...[]string) autoscale.Input {
	for _, held := range executors {
		name := fmt.Sprintf("pod-%03d", len(in.Pods))
		in.Pods = append(in.Pods, autoscale.Pod{Name: name, Ready: true, Room: in.Flame.Shape})
		for _, session := range held {
			in.Load.Executors = append(in.Load.Executors, autoscale.Executor{Node: name, Session: session, Request: sizeOf(in, session)})
		}
	}
	return in
}

func sizeOf(in autoscale.Input, session string) autoscale.Resources {
	for _, s := range in.Load.Sessions {
		if s.ID == session && s.Request != (autoscale.Resources{}) {
			return s.Request
		}
	}
	return in.Flame.Slot
}

// edit changes an input.
func edit(in autoscale.Input, changes ...func(*autoscale.Input)) autoscale.Input {
	for _, change := range changes {
		change(&in)
	}
	return in
}

func cpus(n int64) func(*autoscale.Input) {
	return func(in *autoscale.Input) { in.Flame.Shape.CPU = n }
}

func drf(in *autoscale.Input)   { in.Flame.Policy = autoscale.DRF }
func later(in *autoscale.Input) { in.Flame.Gang = false }
func bounds(least, most int) func(*autoscale.Input) {
	return func(in *autoscale.Input) { in.Bounds.Min, in.Bounds.Max = least, most }
}
