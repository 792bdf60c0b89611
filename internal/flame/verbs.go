// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// ErrRefused means that a verb did nothing, because Flame has changed since the verb was
// decided. The caller has to look again and decide anew. The errors below say why.
var ErrRefused = errors.New("refused")

var (
	// ErrNotObserved means that a verb names a cluster that is not observed.
	ErrNotObserved = refusal("the cluster is not observed")
	// ErrMayWait means that an executor is not known to run a task.
	ErrMayWait = refusal("the executor may be waiting for a task, which it would lose")
	// ErrHoldsExecutors means that a node has executors.
	ErrHoldsExecutors = refusal("executors are on the node")
	// ErrNotReady means that a node is not Ready.
	ErrNotReady = refusal("the node is not Ready")
	// ErrNotGivenUp means that Flame still waits for a node to come back.
	ErrNotGivenUp = refusal("the node is not given up yet")
	// ErrConnected means that a node's process has a connection.
	ErrConnected = refusal("the process of the node is connected")
	// ErrNotFenced means that a node does not drain with nothing to give, as a fenced node
	// does.
	ErrNotFenced = refusal("the node is not fenced")
)

func refusal(why string) error { return fmt.Errorf("%w: %s", ErrRefused, why) }

// Unbind lets an executor's task end and gives the executor no further one. With work
// pending the scheduler binds the executor again some 70 ms after that, unless its process
// is stopped in between.
//
// An executor that waits for a task takes the next one out of Flame's queue and drops it,
// and a second call forgets the task that runs. So Unbind looks first, and returns
// ErrMayWait if the executor is not known to run a task.
//
// Flame workaround: unbind-what-runs
func (c *Client) Unbind(ctx context.Context, executor string) error {
	return c.with(ctx, func(ctx context.Context, flame ports) error {
		named, err := flame.executors(ctx, func(e observation.Executor) bool { return e.ID == executor })
		if err != nil {
			return err
		}
		if len(named) != 1 || named[0].State != observation.Bound {
			return fmt.Errorf("unbind executor %q: %w", executor, ErrMayWait)
		}
		return flame.unbind(ctx, named[0])
	})
}

// unbind compares the session with its executors, which have to be the same before and
// after the look at the session: an executor that came or went in between would make the
// count right by accident.
func (p ports) unbind(ctx context.Context, e observation.Executor) error {
	colleague := func(other observation.Executor) bool { return other.Session == e.Session }
	before, err := p.executors(ctx, colleague)
	if err != nil {
		return err
	}
	session, err := p.session(ctx, e.Session)
	if err != nil {
		return failed(err, "get session %q", e.Session)
	}
	after, err := p.executors(ctx, colleague)
	if err != nil {
		return err
	}
	o := observation.Observation{Sessions: []observation.Session{session}, Executors: after}
	if o.Work()[e.ID] != observation.RunsTask || !slices.Equal(before, after) {
		return fmt.Errorf("unbind executor %q: %w", e.ID, ErrMayWait)
	}
	result, err := p.backend.UnbindExecutor(ctx, &flamev1.UnbindExecutorRequest{ExecutorId: e.ID})
	return answered(result, err, "unbind executor %q", e.ID)
}

// session returns a session, or the error of the call as it is.
func (p ports) session(ctx context.Context, id string) (session observation.Session, err error) {
	request := &flamev1.GetSessionRequest{SessionId: id}
	err = p.get(ctx, oneSession, flamev1.Frontend_GetSession_FullMethodName, request, func(m *message) (err error) {
		session, err = readSession(m)
		return err
	})
	return session, err
}

// Release lets Flame forget a node that it has given up. Flame forgets neither the node's
// executors nor their tasks, and orphans both if Release comes too early: so Release
// returns ErrNotGivenUp or ErrHoldsExecutors as long as there is anything to orphan.
// Nothing happens to a node that is forgotten already.
//
// Flame workaround: release
func (c *Client) Release(ctx context.Context, node string) error {
	return c.with(ctx, func(ctx context.Context, flame ports) error {
		known, held, err := flame.look(ctx, node)
		switch {
		case err != nil:
			return err
		case known.listed == nil:
			return nil
		case known.State != observation.NotReady:
			return fmt.Errorf("release node %q: %w", node, ErrNotGivenUp)
		case len(held) > 0:
			return fmt.Errorf("release node %q: %w", node, ErrHoldsExecutors)
		}
		return flame.release(ctx, node)
	})
}

func (p ports) release(ctx context.Context, node string) error {
	result, err := p.backend.ReleaseNode(ctx, &flamev1.ReleaseNodeRequest{NodeName: node})
	return answered(result, err, "release node %q", node)
}

// Resync registers a Ready node once more as Flame lists it, so that Flame sends it all its
// executors again. A resync heals an executor that stays Void because the first message
// after a reconnect was lost. For a node in another state Resync returns ErrNotReady, since
// to register the node would end its drain.
//
// Flame workaround: resync
func (c *Client) Resync(ctx context.Context, node string) error {
	return c.with(ctx, func(ctx context.Context, flame ports) error {
		known, held, err := flame.look(ctx, node)
		if err != nil {
			return err
		}
		if known.State != observation.Ready {
			return fmt.Errorf("register node %q again: %w", node, ErrNotReady)
		}
		return flame.register(ctx, known.listed, held)
	})
}

func (p ports) register(ctx context.Context, node *flamev1.Node, executors []*flamev1.Executor) error {
	result, err := p.backend.RegisterNode(ctx, &flamev1.RegisterNodeRequest{Node: node, Executors: executors})
	return answered(result, err, "register node %q", node.GetMetadata().GetName())
}
