// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/scorecard/report"
	"github.com/xflops/flame-operator/test/scorecard/verdict"
)

// updatesWhileBusy changes what executor managers are made from while there is more
// to do than they can take, and counts how often each task was executed.
func (t *trial) updatesWhileBusy(ctx context.Context) error {
	c, before, err := t.ready(ctx, 2)
	if err != nil {
		return err
	}
	flame, err := c.frontend(ctx)
	if err != nil {
		return err
	}
	defer flame.close()
	w, err := c.begin(ctx, flame)
	if err != nil {
		return err
	}
	if err := c.allWork(ctx, w, before.executors); err != nil {
		return err
	}
	if err := c.apply(ctx, anotherTemplate); err != nil {
		return err
	}
	if err := c.areReplaced(ctx, w, before.executors); err != nil {
		return err
	}
	if err := c.settles(ctx, "all executor managers are of the new template"); err != nil {
		return err
	}
	after, err := c.executors(ctx)
	if err != nil {
		return err
	}
	if err := c.lostNothing(ctx, w, before.executors, after); err != nil {
		return err
	}
	return c.sessionManagerUntouched(ctx, before.sessionManager)
}

// allWork waits until every executor manager runs a task of the session.
func (c *cluster) allWork(ctx context.Context, w *work, executors verdict.Pods) error {
	return c.eventually(ctx, "every executor manager runs a task", c.patience.step, func(ctx context.Context) error {
		session, err := w.topUp(ctx)
		if err != nil {
			return err
		}
		holders, err := w.flame.holders(ctx, w.session)
		if err != nil {
			return err
		}
		return verdict.AllWork(executors, holders, session.GetRunning())
	})
}

// areReplaced waits until no executor manager that there was exists any more, and as many
// others do, while tasks are left all the time. The executor managers go one after the
// other, and each takes half a minute more if the operator misses the moment to end its
// work.
func (c *cluster) areReplaced(ctx context.Context, w *work, before verdict.Pods) error {
	return c.eventually(ctx, "every executor manager is replaced while tasks wait", 2*c.patience.step, func(ctx context.Context) error {
		pods, err := c.pods(ctx)
		if err != nil {
			return err
		}
		// Asked after the pods, so that what waits now waited when they were gone.
		session, err := w.topUp(ctx)
		if err != nil {
			return err
		}
		replaced := verdict.Replaced(before, verdict.Existing(pods, flamev1alpha1.ComponentExecutorManager))
		if replaced == nil && session.GetPending() == 0 {
			return report.Unable(errors.New("the executor managers were replaced when no task was left, which shows nothing"))
		}
		return replaced
	})
}

// lostNothing sees that the session's tasks were each executed once, on those that
// went and on those that came.
func (c *cluster) lostNothing(ctx context.Context, w *work, before, after verdict.Pods) error {
	tasks, err := w.ends(ctx, nothingElse)
	if err != nil {
		return err
	}
	for _, executors := range []verdict.Pods{before, after} {
		if err := verdict.TookPart(tasks, executors); err != nil {
			return report.Failed(err)
		}
	}
	c.log.Printf("%s gave way to %s", strings.Join(before.Names(), ", "), strings.Join(after.Names(), ", "))
	return nil
}

// The size to which the cluster of autoscales may grow, and the delay before it shrinks.
const (
	autoscaledMost  = 3
	autoscaledDelay = 5 // seconds
)

// autoscales lets the number of executor managers follow tasks, from none and back.
func (t *trial) autoscales(ctx context.Context) error {
	c, err := t.create(ctx, withoutCache, withoutClaim, autoscaled)
	if err != nil {
		return err
	}
	if err := c.becomes(ctx, "the FlameCluster is ready and has no executor manager", t.patience.start, verdict.AtRest); err != nil {
		return err
	}
	flame, err := c.frontend(ctx)
	if err != nil {
		return err
	}
	defer flame.close()
	w, err := c.begin(ctx, flame)
	if err != nil {
		return err
	}
	if err := c.grows(ctx, w); err != nil {
		return err
	}
	// Executors of a session that is open would wait a minute for its next task.
	if _, err := w.ends(ctx, c.isBounded); err != nil {
		return err
	}
	return c.shrinks(ctx)
}

func autoscaled(cluster *flamev1alpha1.FlameCluster) {
	cluster.Spec.ExecutorManager.Replicas = ptr.To[int32](0)
	cluster.Spec.ExecutorManager.Autoscaling = &flamev1alpha1.AutoscalingSpec{
		MaxReplicas: autoscaledMost, ScaleDownDelaySeconds: autoscaledDelay,
	}
}

// grows waits until as many executor managers work as may be.
func (c *cluster) grows(ctx context.Context, w *work) error {
	what := fmt.Sprintf("%d executor managers work, and the status says so", autoscaledMost)
	return c.eventually(ctx, what, c.patience.step, func(ctx context.Context) error {
		if _, err := w.topUp(ctx); err != nil {
			return err
		}
		if err := c.isBounded(ctx); err != nil {
			return err
		}
		object, err := c.get(ctx)
		if err != nil {
			return err
		}
		return verdict.Grown(object)
	})
}

// isBounded sees that there are no more executor managers than may be.
func (c *cluster) isBounded(ctx context.Context) error {
	executors, err := c.executors(ctx)
	if err != nil {
		return err
	}
	if err := verdict.Bounded(executors, autoscaledMost); err != nil {
		return report.Failed(err)
	}
	return nil
}

// shrinks waits until no executor manager is left.
func (c *cluster) shrinks(ctx context.Context) error {
	if err := c.becomes(ctx, "no executor manager is left, and the status says so", c.patience.step, verdict.AtRest); err != nil {
		return err
	}
	left, err := c.executors(ctx)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return report.Failed(fmt.Errorf("the status says that no executor manager is left, but %v are", left.Names()))
	}
	return nil
}
