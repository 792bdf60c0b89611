// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"fmt"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/test/scorecard/report"
	"github.com/xflops/flame-operator/test/scorecard/verdict"
)

// tasks is how many tasks are run: more than one, since a session's first is
// bound in another way than those after it.
const tasks = 3

// runsTasks creates the example as it is and runs tasks through it.
func (t *trial) runsTasks(ctx context.Context) error {
	c, err := t.create(ctx)
	if err != nil {
		return err
	}
	if err := c.starts(ctx); err != nil {
		return err
	}
	flame, err := c.frontend(ctx)
	if err != nil {
		return err
	}
	defer flame.close()
	within, cancel := context.WithTimeout(ctx, t.patience.step)
	defer cancel()
	if err := c.runsSession(within, flame); err != nil {
		return report.Failed(err)
	}
	return nil
}

// runsSession runs tasks in a session of their own, on executor managers of the cluster.
func (c *cluster) runsSession(ctx context.Context, flame *frontend) error {
	executors, err := c.executors(ctx)
	if err != nil {
		return err
	}
	if err := flame.open(ctx, c.name); err != nil {
		return err
	}
	for n := range tasks {
		output, err := flame.run(ctx, c.name)
		if err != nil {
			return err
		}
		c.log.Printf("task %d of %d: %s", n+1, tasks, output)
		if err := verdict.RanOn(output, executors); err != nil {
			return err
		}
	}
	return flame.end(ctx, c.name)
}

// suspends tells a cluster to rest that keeps its sessions, and resumes it.
func (t *trial) suspends(ctx context.Context) error {
	c, err := t.create(ctx, withoutCache, withClaim)
	if err != nil {
		return err
	}
	if err := c.starts(ctx); err != nil {
		return err
	}
	flame, err := c.frontend(ctx)
	if err != nil {
		return err
	}
	defer flame.close()
	if err := flame.open(ctx, c.name); err != nil {
		return report.Failed(err)
	}
	before, err := c.objects(ctx)
	if err != nil {
		return err
	}
	if err := c.apply(ctx, suspended(true)); err != nil {
		return err
	}
	if err := c.becomes(ctx, "the FlameCluster says that it is suspended", t.patience.step, verdict.Suspended); err != nil {
		return err
	}
	if err := c.leaves(ctx, verdict.Without(before, "Pod")); err != nil {
		return err
	}
	if err := c.apply(ctx, suspended(false)); err != nil {
		return err
	}
	if err := c.settles(ctx, "the FlameCluster is ready again"); err != nil {
		return err
	}
	return t.eventually(ctx, "the session from before is there", t.patience.step, func(ctx context.Context) error {
		return flame.has(ctx, c.name)
	})
}

// deletesClean deletes a cluster with all it can have.
func (t *trial) deletesClean(ctx context.Context) error {
	c, err := t.create(ctx, withClaim)
	if err != nil {
		return err
	}
	if err := c.starts(ctx); err != nil {
		return err
	}
	before, err := c.objects(ctx)
	if err != nil {
		return err
	}
	t.log.Printf("it consists of %q", before)
	object, err := c.get(ctx)
	if err != nil {
		return err
	}
	if err := t.k8s.Delete(ctx, object); err != nil {
		return fmt.Errorf("delete FlameCluster %q: %w", c.name, err)
	}
	return c.leaves(ctx, []string{"PersistentVolumeClaim " + naming.SessionManager(c.name)})
}

// leaves waits until only these objects are left, and sees that nothing comes back.
func (c *cluster) leaves(ctx context.Context, wanted []string) error {
	check := func(ctx context.Context) error {
		left, err := c.objects(ctx)
		if err != nil {
			return err
		}
		return verdict.Left(left, wanted)
	}
	what := fmt.Sprintf("only %q is left", wanted)
	if err := c.eventually(ctx, what, c.patience.step, check); err != nil {
		return err
	}
	return c.steadily(ctx, what, check)
}

func suspended(on bool) change {
	return func(cluster *flamev1alpha1.FlameCluster) { cluster.Spec.Suspend = on }
}
