// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/live"
)

// TestOperatorRestartsDuringScaleUp has the operator to itself: tests that run
// in parallel come after it. Its executor managers find no node, so that there
// can be many.
func TestOperatorRestartsDuringScaleUp(t *testing.T) {
	c := create(t, newNamespace(t), "flame", replicas(0), func(spec *flamev1alpha1.FlameClusterSpec) {
		spec.ExecutorManager.NodeSelector = nowhere
	})
	c.Settled(t)
	for _, restart := range []struct {
		how      string
		replicas int32
		options  client.DeleteOptions
	}{
		{"deleted", 40, client.DeleteOptions{}},
		{"gone without a word", 80, client.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)}},
	} {
		t.Run("the operator is "+restart.how, func(t *testing.T) {
			before := c.Living(t, executors)
			events := c.watch(t, executors)
			c.scale(t, restart.replicas)
			eventually(t, "the scale-up begins", func(context.Context) error {
				if n := len(c.Living(t, executors)); n <= len(before) {
					return fmt.Errorf("there are %d pods", n)
				}
				return nil
			})
			old := operatorPod(t)
			require.NoError(t, k8s.Delete(t.Context(), old, &restart.options))
			now := c.Has(t, executors, int(restart.replicas))
			eventually(t, "the operator is there again", func(ctx context.Context) error { return operatorIsBack(ctx, old) })
			c.Status(t, "says how many there are", func(status *flamev1alpha1.FlameClusterStatus) error {
				if status.ExecutorManager.Replicas != restart.replicas {
					return fmt.Errorf("executor managers: %+v", status.ExecutorManager)
				}
				return nil
			})
			steadily(t, "there are as many as are wanted", func(context.Context) error {
				if n := len(c.Living(t, executors)); n != int(restart.replicas) {
					return fmt.Errorf("there are %d", n)
				}
				return nil
			})
			assert.True(t, now.Contains(before), "those that were there stay")
			assert.Equal(t, int(restart.replicas), mostAtOnce(events()), "the most pods that there were at once")
		})
	}
}

// mostAtOnce returns the most pods that existed at the same time, in any state.
func mostAtOnce(events []watch.Event) int {
	existing, most := map[string]bool{}, 0
	for _, event := range events {
		name := event.Object.(*corev1.Pod).Name
		if event.Type == watch.Deleted {
			delete(existing, name)
			continue
		}
		existing[name] = true
		most = max(most, len(existing))
	}
	return most
}

func operatorPods(ctx context.Context) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	err := k8s.List(ctx, list, client.InNamespace(operatorNamespace), client.MatchingLabels{"app.kubernetes.io/component": "controller-manager"})
	return list.Items, err
}

func operatorPod(t *testing.T) *corev1.Pod {
	t.Helper()
	pods, err := operatorPods(t.Context())
	require.NoError(t, err)
	for i := range pods {
		if live.Lives(&pods[i]) {
			return &pods[i]
		}
	}
	require.FailNow(t, "the operator has no pod")
	return nil
}

func operatorIsBack(ctx context.Context, old *corev1.Pod) error {
	pods, err := operatorPods(ctx)
	for i := range pods {
		for _, condition := range pods[i].Status.Conditions {
			if pods[i].UID != old.UID && condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
				return nil
			}
		}
	}
	return fmt.Errorf("no new pod is ready among %d: %w", len(pods), err)
}

func TestOperatorMayDoNoMoreThanItMust(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	user := "system:serviceaccount:" + operatorNamespace + ":" + operatorName
	for _, may := range []struct {
		allowed                            bool
		verb, group, resource, subresource string
	}{
		{true, "get", "", "secrets", ""},
		{false, "list", "", "secrets", ""},
		{false, "watch", "", "secrets", ""},
		{true, "create", "", "pods", ""},
		{false, "create", "", "pods", "exec"},
		{false, "get", "", "pods", "log"},
		{true, "patch", flamev1alpha1.GroupVersion.Group, "flameclusters", "status"},
		{false, "patch", flamev1alpha1.GroupVersion.Group, "flameclusters", ""},
		{false, "update", flamev1alpha1.GroupVersion.Group, "flameclusters", ""},
		{false, "delete", flamev1alpha1.GroupVersion.Group, "flameclusters", ""},
		{false, "create", "rbac.authorization.k8s.io", "rolebindings", ""},
		{false, "list", "", "nodes", ""},
		{false, "delete", "", "namespaces", ""},
		{false, "create", "", "serviceaccounts", "token"},
	} {
		review := &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: may.verb, Group: may.group, Resource: may.resource, Subresource: may.subresource,
			}},
		}
		require.NoError(t, k8s.Create(t.Context(), review))
		assert.Equalf(t, may.allowed, review.Status.Allowed, "may it %s %s.%s/%s", may.verb, may.resource, may.group, may.subresource)
	}
}
