// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"context"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// Observe lists sessions, then executors, then nodes. Flame has no way to list
// them as of one moment, so the order matters:
//
//   - A session's running tasks are compared with its executors to tell whether
//     one waits. An executor that was bound in between makes it look as if one
//     waited, which is safe; the other order could hide one that waits.
//   - A node that registers in between has no executor yet, and one whose
//     executor is listed is missing only if Flame has forgotten it.
func (c *Client) Observe(ctx context.Context) (observation.Observation, error) {
	o := observation.Observation{At: c.now()}
	err := c.with(ctx, observeTimeout, func(ctx context.Context, flame ports) error {
		sessions, err := flame.frontend.ListSession(ctx, &flamev1.ListSessionRequest{})
		if err != nil {
			return failed(err, "list the sessions of Flame")
		}
		o.Sessions = sessionsOf(sessions)
		if o.Executors, err = flame.executors(ctx); err != nil {
			return err
		}
		o.Nodes, err = flame.nodes(ctx)
		return err
	})
	if err != nil {
		return observation.Observation{}, err
	}
	return o, nil
}

func (p ports) executors(ctx context.Context) ([]observation.Executor, error) {
	list, err := p.frontend.ListExecutor(ctx, &flamev1.ListExecutorRequest{})
	if err != nil {
		return nil, failed(err, "list the executors of Flame")
	}
	return executorsOf(list), nil
}

func (p ports) nodes(ctx context.Context) ([]observation.Node, error) {
	list, err := p.frontend.ListNodes(ctx, &flamev1.ListNodesRequest{})
	if err != nil {
		return nil, failed(err, "list the nodes of Flame")
	}
	return nodesOf(list), nil
}
