// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package sessionmanager

// opinion is what a plugin says of a session; the first one that has one wins.
type opinion int

const (
	none opinion = iota
	yes
	no
)

// plugin is one of the scheduler's policies. The last three methods tell it what
// the cycle does, or with -1 takes back.
type plugin interface {
	// order is negative if the first session goes before the second.
	order(a, b *session) int
	underused(*session) opinion
	fits(*node, *session) bool
	// batched says that what was made completes a batch, fulfilled that what was
	// bound does.
	batched(*session) bool
	fulfilled(*session) bool

	allocated(on *node, ssn *session, count int)
	pipelined(e *executor, ssn *session, count int)
	bound(ssn *session, count int)
}

// indifferent has no opinion on anything.
type indifferent struct{}

func (indifferent) order(*session, *session) int       { return 0 }
func (indifferent) underused(*session) opinion         { return none }
func (indifferent) fits(*node, *session) bool          { return true }
func (indifferent) batched(*session) bool              { return true }
func (indifferent) fulfilled(*session) bool            { return true }
func (indifferent) allocated(*node, *session, int)     {}
func (indifferent) pipelined(*executor, *session, int) {}
func (indifferent) bound(*session, int)                {}

func (c *cycle) each(f func(plugin)) {
	for _, p := range c.plugins {
		f(p)
	}
}

func (c *cycle) all(f func(plugin) bool) bool {
	for _, p := range c.plugins {
		if !f(p) {
			return false
		}
	}
	return true
}

// underused reports whether a session should get more. If no plugin has an opinion, the
// session should not.
func (c *cycle) underused(ssn *session) bool {
	for _, p := range c.plugins {
		if o := p.underused(ssn); o != none {
			return o == yes
		}
	}
	return false
}

func (c *cycle) before(a, b *session) bool {
	for _, p := range c.plugins {
		if order := p.order(a, b); order != 0 {
			return order < 0
		}
	}
	return false
}

func (c *cycle) fits(n *node, ssn *session) bool {
	return c.all(func(p plugin) bool { return p.fits(n, ssn) })
}

// batched and fulfilled report true when no plugin has an opinion: without gang every
// session is served already, and nothing is ever made.
func (c *cycle) batched(ssn *session) bool {
	return c.all(func(p plugin) bool { return p.batched(ssn) })
}

func (c *cycle) fulfilled(ssn *session) bool {
	return c.all(func(p plugin) bool { return p.fulfilled(ssn) })
}

// gang counts executors in batches.
type gang struct {
	indifferent
	counts map[string]*gangCount
}

type gangCount struct {
	had, made, bound int
}

func newGang(s *State) *gang {
	g := &gang{counts: map[string]*gangCount{}}
	for id := range s.sessions {
		g.counts[id] = &gangCount{}
	}
	for _, e := range s.executors {
		if count := g.counts[e.Session]; count != nil {
			count.had++
		}
	}
	return g
}

func (g *gang) batched(ssn *session) bool {
	count := g.counts[ssn.ID]
	return count.made > 0 && (count.had+count.made)%int(ssn.BatchSize) == 0
}

func (g *gang) fulfilled(ssn *session) bool {
	count := g.counts[ssn.ID]
	return count.bound > 0 && (count.had+count.bound)%int(ssn.BatchSize) == 0
}

func (g *gang) allocated(_ *node, ssn *session, count int) { g.counts[ssn.ID].made += count }

func (g *gang) pipelined(_ *executor, ssn *session, count int) { g.counts[ssn.ID].made += count }

func (g *gang) bound(ssn *session, count int) { g.counts[ssn.ID].bound += count }
