// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"context"
	"fmt"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// Cordon has Flame forget a live node without executors, so that Flame puts none on the
// node while its process ends. Cordon returns ErrHoldsExecutors if the node has executors
// and ErrNotReady if the node is not Ready; the node then stays as it was.
//
// To keep executors away in between, the node first registers as one that has nothing,
// which holds until its next heartbeat, 5 s later at most. If an executor came all the
// same, or anything fails, the node is registered as it was.
//
// Flame workaround: cordon
func (c *Client) Cordon(ctx context.Context, node string) error {
	return c.with(ctx, func(ctx context.Context, flame ports) error {
		known, held, err := flame.look(ctx, node)
		switch {
		case err != nil:
			return err
		case known.State != observation.Ready:
			return fmt.Errorf("cordon node %q: %w", node, ErrNotReady)
		case len(held) > 0:
			return fmt.Errorf("cordon node %q: %w", node, ErrHoldsExecutors)
		}
		if err := flame.cordon(ctx, known.listed); err != nil {
			flame.uncordon(ctx, known.listed)
			return err
		}
		return nil
	})
}

func (p ports) cordon(ctx context.Context, node *flamev1.Node) error {
	name := node.GetMetadata().GetName()
	if err := p.register(ctx, emptied(node), nil); err != nil {
		return err
	}
	if err := p.holdsNothing(ctx, name); err != nil {
		return err
	}
	if err := p.release(ctx, name); err != nil {
		return err
	}
	return p.holdsNothing(ctx, name)
}

func (p ports) holdsNothing(ctx context.Context, node string) error {
	held, err := p.held(ctx, node)
	if err == nil && len(held) > 0 {
		return fmt.Errorf("cordon node %q: %w", node, ErrHoldsExecutors)
	}
	return err
}

// uncordon registers a node as it was, with the executors that it holds now. The call has a
// timeout of its own, since that of the verb may be over. If the call fails, the next
// heartbeat of the node brings back what it has, or its next stream brings back the node
// itself.
func (p ports) uncordon(ctx context.Context, node *flamev1.Node) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), verbTimeout)
	defer cancel()
	if held, err := p.held(ctx, node.GetMetadata().GetName()); err == nil {
		_ = p.register(ctx, node, held)
	}
}
