// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/xflops/flame-operator/hack/localcluster/cgroup"
	"github.com/xflops/flame-operator/hack/localcluster/node"
)

// Down takes the cluster down. A missing cluster is no error.
func (c *Cluster) Down(ctx context.Context) error {
	if err := requireRoot(); err != nil {
		return err
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	started := time.Now()
	found, err := c.clean(ctx)
	if err != nil {
		return err
	}
	if !found {
		c.say("There is no cluster in %s.", c.dir)
		return nil
	}
	c.say("The cluster is down, after %.1f s; nothing is left of it.", time.Since(started).Seconds())
	return nil
}

// clean removes all of a cluster, whatever its state, and reports whether there was one.
func (c *Cluster) clean(ctx context.Context) (found bool, err error) {
	r, err := c.read()
	if err != nil {
		return false, err
	}
	group, err := cgroup.Of(c.cgroup())
	if err != nil {
		return false, err
	}
	if r == (record{}) && !group.Exists() {
		// A folder without a record is nobody's that we know.
		return false, node.Disconnect(c.hostLink())
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := r.Node.Kill(ctx); err != nil {
		return true, err
	}
	if err := node.Disconnect(c.hostLink()); err != nil {
		return true, err
	}
	if err := group.Remove(10 * time.Second); err != nil {
		return true, fmt.Errorf("remove the control group: %w", err)
	}
	return true, c.removeFolder()
}
