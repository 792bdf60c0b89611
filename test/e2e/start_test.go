// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// unpullable is an image in a registry that cannot exist (RFC 6761).
const unpullable = "registry.invalid/flame/flame:v0.6.0"

func TestExecutorManagersWaitForTheSessionManager(t *testing.T) {
	t.Parallel()
	c := create(t, newNamespace(t), "flame", replicas(2), func(spec *flamev1alpha1.FlameClusterSpec) {
		spec.SessionManager.NodeSelector = nowhere
	})
	status := c.Says(t, flamev1alpha1.ConditionSessionManagerReady, metav1.ConditionFalse, flamev1alpha1.ReasonPending,
		"nodes are available", "node affinity/selector")
	assert.Equal(t, flamev1alpha1.StatePending, status.State)

	waiting := c.Has(t, flamev1alpha1.ComponentExecutorManager, 2)
	check := func(ctx context.Context) error {
		pods, err := c.Pods(ctx, flamev1alpha1.ComponentExecutorManager)
		for i := range pods {
			if err == nil {
				err = isInInit(&pods[i])
			}
		}
		return err
	}
	eventually(t, "executor managers wait in an init container", check)
	steadily(t, "they wait", check)
	status = c.Says(t, flamev1alpha1.ConditionExecutorsReady, metav1.ConditionFalse, flamev1alpha1.ReasonStarting,
		"0 of 2", "waits for the session manager")
	assert.Equal(t, flamev1alpha1.StatePending, status.State)
	assertNamesNoPod(t, status, c.AllLiving(t))

	c.Apply(t, func(spec *flamev1alpha1.FlameClusterSpec) { spec.SessionManager.NodeSelector = nil })
	assertNamesNoPod(t, c.Settled(t), waiting)
	assert.Equal(t, waiting, executorsOf(t, c), "those that waited are those that run")
}

// isInInit checks that the first container runs, for the first time, and the one after it does not.
func isInInit(pod *corev1.Pod) error {
	for _, status := range pod.Status.InitContainerStatuses {
		if status.State.Running != nil && status.RestartCount == 0 && pod.Status.Phase == corev1.PodPending {
			return nil
		}
	}
	return fmt.Errorf("pod %s is %s, its init containers are %+v", pod.Name, pod.Status.Phase, pod.Status.InitContainerStatuses)
}

func TestImageOfTheSessionManagerThatCannotBePulled(t *testing.T) {
	t.Parallel()
	c := create(t, newNamespace(t), "flame", func(spec *flamev1alpha1.FlameClusterSpec) { spec.SessionManager.Image = unpullable })
	status := c.Says(t, flamev1alpha1.ConditionSessionManagerReady, metav1.ConditionFalse, flamev1alpha1.ReasonImagePull,
		"cannot pull", unpullable)
	assert.Equal(t, flamev1alpha1.StateFailed, status.State)
	assert.NoError(t, mentions(status.Message, "session manager", "cannot pull", unpullable))
	assertNamesNoPod(t, status, c.AllLiving(t))
	executors := c.Has(t, flamev1alpha1.ComponentExecutorManager, 1)

	c.Apply(t, func(spec *flamev1alpha1.FlameClusterSpec) { spec.SessionManager.Image = standIn })
	c.Settled(t)
	assert.Equal(t, executors, executorsOf(t, c), "the executor managers are not concerned")
}

func TestImageOfTheExecutorManagersThatCannotBePulled(t *testing.T) {
	t.Parallel()
	c := create(t, newNamespace(t), "flame", replicas(2))
	c.Settled(t)
	working := executorsOf(t, c)

	c.Apply(t, func(spec *flamev1alpha1.FlameClusterSpec) { spec.ExecutorManager.Image = unpullable })
	status := c.Says(t, flamev1alpha1.ConditionProgressing, metav1.ConditionFalse, flamev1alpha1.ReasonUpdateStopped, "cannot pull", unpullable)
	assert.Equal(t, flamev1alpha1.StateRunning, status.State, "the old ones work")
	assert.EqualValues(t, 2, status.ExecutorManager.Ready)
	assertNamesNoPod(t, status, c.AllLiving(t))
	steadily(t, "the old ones stay", func(context.Context) error {
		if now := executorsOf(t, c); !now.Contains(working) {
			return fmt.Errorf("they were %v, and there are %v", working, now)
		}
		return nil
	})

	c.Apply(t, func(spec *flamev1alpha1.FlameClusterSpec) { spec.ExecutorManager.Image = standIn })
	c.Settled(t)
	assert.Equal(t, working, c.Has(t, flamev1alpha1.ComponentExecutorManager, 2), "the update was taken back")
}

func TestResourcesThatFitNowhere(t *testing.T) {
	t.Parallel()
	asked := requests("500Ti")
	limits := corev1.ResourceList{corev1.ResourceMemory: asked[corev1.ResourceMemory]}
	c := create(t, newNamespace(t), "flame", func(spec *flamev1alpha1.FlameClusterSpec) {
		spec.ExecutorManager.Resources = corev1.ResourceRequirements{Requests: asked, Limits: limits}
	})
	status := c.Says(t, flamev1alpha1.ConditionExecutorsReady, metav1.ConditionFalse, flamev1alpha1.ReasonPending,
		"0 of 1", "waits for a node", "Insufficient memory")
	assert.Equal(t, flamev1alpha1.StatePending, status.State)
	c.Says(t, flamev1alpha1.ConditionSessionManagerReady, metav1.ConditionTrue, flamev1alpha1.ReasonReady)
	status = c.Says(t, flamev1alpha1.ConditionReady, metav1.ConditionFalse, flamev1alpha1.ReasonNotReady, "Insufficient memory")
	assert.NoError(t, mentions(status.Message, "Insufficient memory"))
	assertNamesNoPod(t, status, c.AllLiving(t))

	c.Apply(t, func(spec *flamev1alpha1.FlameClusterSpec) {
		spec.ExecutorManager.Resources = corev1.ResourceRequirements{Requests: requests("32Mi")}
	})
	c.Settled(t)
	c.Has(t, flamev1alpha1.ComponentExecutorManager, 1)
}
