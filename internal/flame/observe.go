// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// Observe lists sessions, then executors, then nodes. Flame cannot list all of them as of
// one moment, so the order matters:
//
//   - A session's running tasks are compared with its executors to tell whether an executor
//     waits. An executor that was bound in between seems to wait, which is safe; the other
//     order could hide an executor that waits.
//   - A node that registers in between has no executor yet. A node whose executor is listed
//     is missing only if Flame has forgotten the node.
func (c *Client) Observe(ctx context.Context) (observation.Observation, error) {
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	seen := c.look(ctx, 0, observeTimeout, everySession)
	for errors.Is(seen.err, errOutgrown) {
		seen = c.look(ctx, seen.size, observeTimeout, everySession)
	}
	if seen.err != nil {
		return observation.Observation{}, seen.err
	}
	return seen.Observation, nil
}

// look is an observation, or the reason why there is none.
type look struct {
	observation.Observation
	err error
	// took is how long the look took. size is the size of its answers, or of one that did
	// not fit, and 0 if the answers are small.
	took time.Duration
	size int
	// more says that the look failed only for want of time or room, of which there is more.
	more bool
}

func everySession(observation.Session) bool { return true }

// isAtWork reports whether a session is open, or runs tasks all the same. There may be a
// hundred times as many other sessions, which are closed and on which nobody acts.
func isAtWork(s observation.Session) bool { return s.Open || s.Running > 0 }

// look observes within a time, with answers of a size at most, or with small ones if the
// size is 0. The time begins when there is room for the answers. Of sessions that are not
// wanted only the ended tasks count.
func (c *Client) look(ctx context.Context, size int, within time.Duration, wanted func(observation.Session) bool) look {
	if size > 0 {
		if err := c.room.Acquire(ctx, int64(size)); err != nil {
			return look{err: failed(err, "wait for room for the answers of Flame")}
		}
		defer c.room.Release(int64(size))
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	seen := look{Observation: observation.Observation{At: c.now()}}
	seen.err = c.within(ctx, observing(max(size, smallAnswer)), func(ctx context.Context, flame ports) (err error) {
		seen.Observation, err = flame.observe(ctx, seen.At, wanted)
		seen.size = flame.kept.size()
		return err
	})
	if seen.err != nil {
		seen.size = 0
	}
	if more := (*outgrown)(nil); errors.As(seen.err, &more) {
		seen.size = roomFor(more.size)
	}
	return seen
}

// after returns what is known after a look.
func (l look) after(before observation.Latest) observation.Latest {
	if l.err != nil {
		return before.Failed(l.err, l.At)
	}
	return before.Seen(l.Observation)
}

func (p ports) observe(ctx context.Context, at time.Time, wanted func(observation.Session) bool) (observation.Observation, error) {
	nothing, o := observation.Observation{At: at}, observation.Observation{At: at}
	err := p.sessions(ctx, &o, wanted)
	if err != nil {
		return nothing, err
	}
	if o.Executors, err = p.executors(ctx, func(observation.Executor) bool { return true }); err != nil {
		return nothing, err
	}
	if o.Nodes, err = p.nodes(ctx); err != nil {
		return nothing, err
	}
	return o, nil
}

func (p ports) sessions(ctx context.Context, o *observation.Observation, wanted func(observation.Session) bool) error {
	err := p.get(ctx, sessionList, flamev1.Frontend_ListSession_FullMethodName, &flamev1.ListSessionRequest{}, func(m *message) error {
		return entries(m, func(f *field) error {
			s, err := readSession(&f.message)
			if err != nil {
				return err
			}
			if !wanted(s) {
				o.Ended += s.Ended()
				return nil
			}
			p.kept.share(&s.ID)
			p.kept.share(&s.Application)
			p.kept.share(&s.BlockedWhy)
			o.Sessions = append(o.Sessions, s)
			return p.kept.entry()
		})
	})
	if err != nil {
		return failed(err, "list the sessions of Flame")
	}
	slices.SortFunc(o.Sessions, func(a, b observation.Session) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

// executors lists the executors that are wanted.
func (p ports) executors(ctx context.Context, wanted func(observation.Executor) bool) ([]observation.Executor, error) {
	var executors []observation.Executor
	err := p.get(ctx, executorList, flamev1.Frontend_ListExecutor_FullMethodName, &flamev1.ListExecutorRequest{}, func(m *message) error {
		return entries(m, func(f *field) error {
			e, err := readExecutor(&f.message)
			if err != nil || !wanted(e) {
				return err
			}
			p.kept.share(&e.Session)
			p.kept.share(&e.Node)
			executors = append(executors, e)
			return p.kept.entry()
		})
	})
	if err != nil {
		return nil, failed(err, "list the executors of Flame")
	}
	slices.SortFunc(executors, func(a, b observation.Executor) int { return cmp.Compare(a.ID, b.ID) })
	return executors, nil
}

func (p ports) nodes(ctx context.Context) ([]observation.Node, error) {
	var nodes []observation.Node
	err := p.get(ctx, nodeList, flamev1.Frontend_ListNodes_FullMethodName, &flamev1.ListNodesRequest{}, func(m *message) error {
		return entries(m, func(f *field) error {
			n, err := readNode(&f.message)
			if err != nil {
				return err
			}
			p.kept.share(&n.Name)
			p.kept.share(&n.Arch)
			p.kept.share(&n.OS)
			nodes = append(nodes, n)
			return p.kept.entry()
		})
	})
	if err != nil {
		return nil, failed(err, "list the nodes of Flame")
	}
	slices.SortFunc(nodes, func(a, b observation.Node) int { return cmp.Compare(a.Name, b.Name) })
	return nodes, nil
}
