// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package sessionmanager

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

// VersionVariable names the version of Flame whose policies and batches count.
const VersionVariable = "STANDIN_FLAME_VERSION"

// flame060 reports whether to behave like Flame 0.6.0, which is what a missing version means.
func flame060() bool {
	version := strings.TrimPrefix(os.Getenv(VersionVariable), "v")
	return version == "" || version == "0.6.0"
}

// policies are the plugins that a configuration may name, in the order in which
// they are asked.
func policies() []string {
	if flame060() {
		return []string{"priority", "drf", "gang"}
	}
	return []string{"priority", "drf"}
}

// schedule runs cycles until a policy is found to be unknown, which ends it,
// and with it the session manager.
func (s *State) schedule(ctx context.Context) error {
	s.log.Infof("scheduler", "Scheduler started with interval: %s, enabled policies: %q", s.cluster.ScheduleInterval, s.cluster.Policies)
	for ctx.Err() == nil {
		for _, policy := range s.cluster.Policies {
			if !slices.Contains(policies(), policy) {
				return fmt.Errorf("InvalidConfig(%q)", fmt.Sprintf("unknown policy: %s. available: %q", policy, policies()))
			}
		}
		err := s.do(func() error { return s.newCycle().run() })
		if err != nil {
			s.log.Errorf("scheduler", "Failed to run scheduling: %v", err)
		}
		time.Sleep(s.cluster.ScheduleInterval)
	}
	return ctx.Err()
}

// cycle is one pass: idle executors are bound, missing ones are made, and those
// that are still idle are released. The plugins count along.
type cycle struct {
	*State
	plugins []plugin
}

func (s *State) newCycle() *cycle {
	c := &cycle{State: s}
	enabled := s.cluster.Policies
	if slices.Contains(enabled, "priority") {
		c.plugins = append(c.plugins, newPriority(s))
	}
	if slices.Contains(enabled, "drf") {
		c.plugins = append(c.plugins, newDRF(s))
	}
	if slices.Contains(enabled, "gang") || !flame060() {
		c.plugins = append(c.plugins, newGang(s))
	}
	s.log.Infof("scheduler::plugins", "Enabled scheduler plugins: %q", append(slices.Clone(enabled), "shim"))
	return c
}

func (c *cycle) run() error {
	if err := c.dispatch(); err != nil {
		return err
	}
	if err := c.allocate(); err != nil {
		return err
	}
	for _, e := range c.inState(idle) {
		if err := c.releaseExecutor(e); err != nil {
			return err
		}
	}
	return nil
}

// dispatch binds idle executors, whole batches only. An executor whose node was
// released ends the cycle, this one and all that follow.
func (c *cycle) dispatch() error {
	sessions, executors := c.ready(), c.inState(idle)
	for len(sessions) > 0 {
		var ssn *session
		ssn, sessions = c.next(sessions)
		if !c.underused(ssn) {
			continue
		}
		var taken []*executor
		for _, e := range executors {
			if !suits(e, ssn) {
				continue
			}
			if c.nodes[e.Node] == nil {
				return fmt.Errorf("node %s not found for executor %s", e.Node, e.ID)
			}
			c.each(func(p plugin) { p.bound(ssn, 1) })
			taken = append(taken, e)
			if c.fulfilled(ssn) {
				break
			}
		}
		if !c.fulfilled(ssn) {
			c.each(func(p plugin) { p.bound(ssn, -len(taken)) })
			continue
		}
		for _, e := range taken {
			if err := c.bind(e, ssn); err != nil {
				return err
			}
		}
		executors = slices.DeleteFunc(executors, func(e *executor) bool { return slices.Contains(taken, e) })
		if len(taken) > 0 {
			sessions = append(sessions, ssn)
		}
	}
	return nil
}

// allocate makes executors, on any node in any state that has room by its own word. A
// Void or Unbinding executor already counts for the session that needs one most, so a
// Void executor on a dead node starves that session.
func (c *cycle) allocate() error {
	sessions := c.ready()
	coming := append(c.inState(void), c.inState(unbinding)...)
	for len(sessions) > 0 {
		var ssn *session
		ssn, sessions = c.next(sessions)
		if !c.underused(ssn) || c.atLimit(ssn) || c.fulfilled(ssn) || c.batched(ssn) {
			continue
		}
		taken, places := c.batch(ssn, coming)
		if !c.batched(ssn) {
			c.discard(ssn, taken, places)
			continue
		}
		for _, n := range places {
			if err := c.createExecutor(n, ssn); err != nil {
				return err
			}
		}
		coming = slices.DeleteFunc(coming, func(e *executor) bool { return slices.Contains(taken, e) })
		sessions = append(sessions, ssn)
	}
	return nil
}

// batch collects a batch for a session: executors that are coming, then places
// for new ones, in no order of nodes.
func (c *cycle) batch(ssn *session, coming []*executor) (taken []*executor, places []*node) {
	for _, e := range coming {
		if !suits(e, ssn) {
			continue
		}
		c.each(func(p plugin) { p.pipelined(e, ssn, 1) })
		taken = append(taken, e)
		if c.batched(ssn) {
			break
		}
	}
	for _, n := range c.nodes {
		for !c.batched(ssn) && c.fits(n, ssn) {
			c.each(func(p plugin) { p.allocated(n, ssn, 1) })
			places = append(places, n)
		}
	}
	return taken, places
}

// discard takes an incomplete batch back.
func (c *cycle) discard(ssn *session, taken []*executor, places []*node) {
	for _, n := range places {
		c.each(func(p plugin) { p.allocated(n, ssn, -1) })
	}
	for _, e := range taken {
		c.each(func(p plugin) { p.pipelined(e, ssn, -1) })
	}
}

// ready returns the sessions that are open and have retries left.
func (c *cycle) ready() []*session {
	var found []*session
	for _, ssn := range c.sessions {
		if !ssn.Closed && ssn.retries < c.cluster.RetryLimits {
			found = append(found, ssn)
		}
	}
	return found
}

func (c *cycle) inState(state flamev1.ExecutorState) []*executor {
	var found []*executor
	for _, e := range c.executors {
		if e.State == state {
			found = append(found, e)
		}
	}
	return found
}

// next takes the first session by the plugins' order.
func (c *cycle) next(sessions []*session) (*session, []*session) {
	first := 0
	for i := range sessions {
		if c.before(sessions[i], sessions[first]) {
			first = i
		}
	}
	ssn := sessions[first]
	return ssn, slices.Delete(sessions, first, first+1)
}

func (c *cycle) atLimit(ssn *session) bool {
	if ssn.MaxInstances == nil {
		return false
	}
	count := uint32(0)
	for _, e := range c.executors {
		if e.Session == ssn.ID {
			count++
		}
	}
	return count >= *ssn.MaxInstances
}

// suits reports whether an existing executor may serve a session: any may in 0.6.0, one
// of the same size in later versions.
func suits(e *executor, ssn *session) bool {
	return flame060() || e.Resreq == ssn.Resreq
}
