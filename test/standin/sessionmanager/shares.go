// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package sessionmanager

import (
	"cmp"
	"math"
	"slices"

	"github.com/xflops/flame-operator/test/standin/config"
)

// amount counts resources; unlike config.Resources it may pass below zero.
type amount struct {
	cpu, memory, gpu int64
}

func amountOf(r config.Resources) amount {
	return amount{int64(r.CPU), int64(r.Memory), int64(r.GPU)}
}

func (a amount) plus(b amount, times int64) amount {
	return amount{a.cpu + times*b.cpu, a.memory + times*b.memory, a.gpu + times*b.gpu}
}

func (a amount) lowest(b amount) amount {
	return amount{min(a.cpu, b.cpu), min(a.memory, b.memory), min(a.gpu, b.gpu)}
}

func (a amount) highest(b amount) amount {
	return amount{max(a.cpu, b.cpu), max(a.memory, b.memory), max(a.gpu, b.gpu)}
}

func (a amount) covers(b amount) bool {
	return a.cpu >= b.cpu && a.memory >= b.memory && a.gpu >= b.gpu
}

// total is what all nodes say they have, dead ones too.
func (s *State) total() amount {
	var total amount
	for _, n := range s.nodes {
		total = total.plus(amountOf(n.Allocatable), 1)
	}
	return total
}

// priority gives the cluster to sessions by priority, then by age, and blocks
// all below the highest priority that has pending tasks.
type priority struct {
	indifferent
	needy   uint32
	desired map[string]amount
	given   map[string]amount
}

func newPriority(s *State) *priority {
	p := &priority{desired: map[string]amount{}, given: map[string]amount{}}
	var open []*session
	for _, ssn := range s.sessions {
		if !ssn.Closed {
			open = append(open, ssn)
		}
	}
	slices.SortFunc(open, func(a, b *session) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Created, b.Created))
	})
	remaining := s.total()
	for _, ssn := range open {
		granted := demand(ssn).lowest(remaining)
		p.desired[ssn.ID] = granted
		remaining = remaining.plus(granted, -1)
		if ssn.count(pending) > 0 {
			p.needy = max(p.needy, ssn.Priority)
		}
	}
	for _, e := range s.executors {
		p.given[e.Session] = p.given[e.Session].plus(amountOf(e.Resreq), 1)
	}
	return p
}

// demand is an executor for each task that has not ended, in whole batches,
// within the session's own bounds.
func demand(ssn *session) amount {
	unit := amountOf(ssn.Resreq)
	batch := int64(ssn.BatchSize)
	tasks := int64(ssn.count(pending) + ssn.count(running))
	want := amount{}.plus(unit, tasks/batch*batch)
	if ssn.MaxInstances != nil {
		want = want.lowest(amount{}.plus(unit, int64(*ssn.MaxInstances)))
	}
	return want.highest(amount{}.plus(unit, int64(ssn.MinInstances)))
}

func (p *priority) order(a, b *session) int { return cmp.Compare(b.Priority, a.Priority) }

func (p *priority) underused(ssn *session) opinion {
	desired, known := p.desired[ssn.ID]
	switch {
	case !known:
		return none
	case ssn.Priority < p.needy:
		return no
	case desired != amount{} && !p.given[ssn.ID].covers(desired):
		return yes
	}
	return none
}

func (p *priority) allocated(_ *node, ssn *session, count int) { p.bound(ssn, count) }

func (p *priority) pipelined(_ *executor, ssn *session, count int) { p.bound(ssn, count) }

func (p *priority) bound(ssn *session, count int) {
	p.given[ssn.ID] = p.given[ssn.ID].plus(amountOf(ssn.Resreq), int64(count))
}

// drf gives each session its share of the cluster, and is the only one that
// looks whether a node has room.
type drf struct {
	indifferent
	total    amount
	sessions map[string]amount
	nodes    map[string]amount
}

func newDRF(s *State) *drf {
	d := &drf{total: s.total(), sessions: map[string]amount{}, nodes: map[string]amount{}}
	for _, ssn := range s.sessions {
		if !ssn.Closed {
			d.sessions[ssn.ID] = amount{}
		}
	}
	for _, e := range s.executors {
		d.nodes[e.Node] = d.nodes[e.Node].plus(amountOf(e.Resreq), 1)
		if e.Session != "" {
			d.sessions[e.Session] = d.sessions[e.Session].plus(amountOf(e.Resreq), 1)
		}
	}
	return d
}

func (d *drf) order(a, b *session) int {
	return cmp.Compare(d.share(a), d.share(b))
}

func (d *drf) underused(ssn *session) opinion {
	if ssn.count(pending) > 0 && d.share(ssn) < 1/float64(max(len(d.sessions), 1)) {
		return yes
	}
	return no
}

// share is the largest part of any resource that a session has.
func (d *drf) share(ssn *session) float64 {
	has, share := d.sessions[ssn.ID], 0.0
	for _, part := range [][2]int64{{has.cpu, d.total.cpu}, {has.memory, d.total.memory}, {has.gpu, d.total.gpu}} {
		if part[1] > 0 {
			share = max(share, float64(part[0])/float64(part[1]))
		}
	}
	if d.total.gpu <= 0 && has.gpu > 0 {
		return math.MaxFloat64
	}
	return share
}

func (d *drf) fits(n *node, ssn *session) bool {
	after, room := d.nodes[n.Name].plus(amountOf(ssn.Resreq), 1), amountOf(n.Allocatable)
	return after.cpu <= room.cpu && after.memory <= room.memory && (ssn.Resreq.GPU <= 0 || after.gpu <= room.gpu)
}

func (d *drf) allocated(on *node, ssn *session, count int) {
	d.bound(ssn, count)
	d.nodes[on.Name] = d.nodes[on.Name].plus(amountOf(ssn.Resreq), int64(count))
}

func (d *drf) pipelined(e *executor, ssn *session, count int) {
	d.bound(ssn, count)
	if _, known := d.nodes[e.Node]; known {
		d.nodes[e.Node] = d.nodes[e.Node].plus(amountOf(ssn.Resreq), int64(count))
	}
}

func (d *drf) bound(ssn *session, count int) {
	d.sessions[ssn.ID] = d.sessions[ssn.ID].plus(amountOf(ssn.Resreq), int64(count))
}
