// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"fmt"
	"strings"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/scorecard/report"
	"github.com/xflops/flame-operator/test/scorecard/verdict"
)

// scales changes the number of executor managers as kubectl scale and autoscalers do.
func (t *trial) scales(ctx context.Context) error {
	c, before, err := t.ready(ctx, 1)
	if err != nil {
		return err
	}
	for _, wanted := range []int32{3, 1, 0, 1} {
		if err := c.scale(ctx, wanted); err != nil {
			return err
		}
		if err := c.settles(ctx, fmt.Sprintf("it is ready with %d executor manager(s)", wanted)); err != nil {
			return err
		}
		after, err := c.executors(ctx)
		if err != nil {
			return err
		}
		if err := verdict.Scaled(before.executors, after, wanted); err != nil {
			return report.Failed(err)
		}
		if err := c.scaleSays(ctx, wanted); err != nil {
			return err
		}
		before.executors = after
	}
	return c.sessionManagerUntouched(ctx, before.sessionManager)
}

// scale writes the scale subresource.
func (c *cluster) scale(ctx context.Context, wanted int32) error {
	object, err := c.get(ctx)
	if err != nil {
		return err
	}
	scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: wanted}}
	if err := c.k8s.SubResource("scale").Update(ctx, object, client.WithSubResourceBody(scale)); err != nil {
		return fmt.Errorf("scale FlameCluster %q to %d: %w", c.name, wanted, err)
	}
	return nil
}

// scaleSays reads it back as an autoscaler would.
func (c *cluster) scaleSays(ctx context.Context, wanted int32) error {
	object, err := c.get(ctx)
	if err != nil {
		return err
	}
	scale := &autoscalingv1.Scale{}
	if err := c.k8s.SubResource("scale").Get(ctx, object, scale); err != nil {
		return fmt.Errorf("get the scale of FlameCluster %q: %w", c.name, err)
	}
	if scale.Spec.Replicas != wanted || scale.Status.Replicas != wanted || scale.Status.Selector == "" {
		return report.Failed(fmt.Errorf("the scale subresource wants %d, has %d and selects %q, where %d executor managers run",
			scale.Spec.Replicas, scale.Status.Replicas, scale.Status.Selector, wanted))
	}
	return nil
}

// heals deletes the pod of an executor manager.
func (t *trial) heals(ctx context.Context) error {
	c, before, err := t.ready(ctx, 2)
	if err != nil {
		return err
	}
	lost := before.executors.Names()[0]
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: lost}}
	if err := t.k8s.Delete(ctx, pod); err != nil {
		return fmt.Errorf("delete pod %q: %w", lost, err)
	}
	t.log.Printf("deleted pod %s", lost)
	if err := t.eventually(ctx, "another executor manager is ready in its place", t.patience.step, func(ctx context.Context) error {
		pods, err := c.pods(ctx)
		if err != nil {
			return err
		}
		if err := verdict.Healed(before.executors, verdict.Living(pods, flamev1alpha1.ComponentExecutorManager), lost); err != nil {
			return err
		}
		return verdict.Ready(pods)
	}); err != nil {
		return err
	}
	if err := c.settles(ctx, "the FlameCluster is ready again"); err != nil {
		return err
	}
	after, err := c.executors(ctx)
	if err != nil {
		return err
	}
	if err := verdict.Healed(before.executors, after, lost); err != nil {
		return report.Failed(err)
	}
	return c.sessionManagerUntouched(ctx, before.sessionManager)
}

// The annotation and the variable of the executor managers of another template.
const (
	rolledAnnotation = "scorecard.flame.xflops.io/rolled"
	rolledVariable   = "SCORECARD_ROLLED"
)

// rolls changes what executor managers are made from.
func (t *trial) rolls(ctx context.Context) error {
	c, before, err := t.ready(ctx, 2)
	if err != nil {
		return err
	}
	if err := c.apply(ctx, anotherTemplate); err != nil {
		return err
	}
	if err := c.settles(ctx, "all executor managers are of the new template"); err != nil {
		return err
	}
	pods, err := c.pods(ctx)
	if err != nil {
		return err
	}
	after := verdict.Living(pods, flamev1alpha1.ComponentExecutorManager)
	if err := verdict.Replaced(before.executors, after); err != nil {
		return report.Failed(err)
	}
	if err := verdict.Carry(pods, after, rolledAnnotation, rolledVariable); err != nil {
		return report.Failed(err)
	}
	t.log.Printf("%s gave way to %s", strings.Join(before.executors.Names(), ", "), strings.Join(after.Names(), ", "))
	return c.sessionManagerUntouched(ctx, before.sessionManager)
}

// anotherTemplate changes what executor managers are made from.
func anotherTemplate(cluster *flamev1alpha1.FlameCluster) {
	cluster.Spec.ExecutorManager.PodTemplate = &runtime.RawExtension{
		Raw: fmt.Appendf(nil, `{"metadata": {"annotations": {%q: "yes"}}}`, rolledAnnotation),
	}
	cluster.Spec.ExecutorManager.Env = append(cluster.Spec.ExecutorManager.Env, corev1.EnvVar{Name: rolledVariable, Value: "yes"})
}

// running is what runs for a cluster.
type running struct{ sessionManager, executors verdict.Pods }

// ready makes a cluster of some executor managers and waits until it is ready.
func (t *trial) ready(ctx context.Context, executors int32) (*cluster, running, error) {
	c, err := t.create(ctx, withoutCache, withoutClaim, func(cluster *flamev1alpha1.FlameCluster) {
		cluster.Spec.ExecutorManager.Replicas = ptr.To(executors)
	})
	if err != nil {
		return nil, running{}, err
	}
	if err := c.starts(ctx); err != nil {
		return nil, running{}, err
	}
	pods, err := c.pods(ctx)
	if err != nil {
		return nil, running{}, err
	}
	now := running{verdict.Living(pods, flamev1alpha1.ComponentSessionManager), verdict.Living(pods, flamev1alpha1.ComponentExecutorManager)}
	if len(now.sessionManager) != 1 || len(now.executors) != int(executors) {
		return nil, running{}, report.Failed(fmt.Errorf("the FlameCluster says it is ready, but runs %v and %v", now.sessionManager.Names(), now.executors.Names()))
	}
	return c, now, nil
}

// sessionManagerUntouched sees that the session manager is still the one there was.
func (c *cluster) sessionManagerUntouched(ctx context.Context, before verdict.Pods) error {
	pods, err := c.pods(ctx)
	if err != nil {
		return err
	}
	if err := verdict.Untouched(before, pods, flamev1alpha1.ComponentSessionManager); err != nil {
		return report.Failed(err)
	}
	return nil
}
