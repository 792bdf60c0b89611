// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// What one namespace does to itself is no other's trouble.

func TestAClusterThatCannotBeReadBesideOneThatScales(t *testing.T) {
	t.Parallel()
	good := create(t, newNamespace(t), "good")
	good.Settled(t)

	typo := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": flamev1alpha1.GroupVersion.String(), "kind": "FlameCluster",
		"metadata": map[string]any{"name": "typo", "namespace": newNamespace(t)},
		"spec": map[string]any{
			"sessionManager":  map[string]any{"image": standIn, "resources": map[string]any{"limits": map[string]any{"memory": "1e1.5"}}},
			"executorManager": map[string]any{"image": standIn},
		},
	}}
	require.NoError(t, k8s.Create(t.Context(), typo))
	eventually(t, "the other one says what is wrong with it", func(ctx context.Context) error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(typo), typo); err != nil {
			return err
		}
		message, _, _ := unstructured.NestedString(typo.Object, "status", "message")
		return mentions(message, "sessionManager.resources.limits.memory", `"1e1.5"`, "no quantity")
	})
	good.Apply(t, replicas(3))
	assert.EqualValues(t, 3, good.Settled(t).ExecutorManager.Ready)
	good.Apply(t, replicas(1))
	assert.EqualValues(t, 1, good.Settled(t).ExecutorManager.Ready)
}

// withQuota allows so many pods in a namespace, once it holds. What it returns changes
// that, and says when.
func withQuota(t *testing.T, namespace, pods string) (set func(pods string) time.Time) {
	t.Helper()
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "few", Namespace: namespace},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse(pods)}},
	}
	require.NoError(t, k8s.Create(t.Context(), quota))
	eventually(t, "the quota holds", func(ctx context.Context) error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(quota), quota); err != nil {
			return err
		}
		if len(quota.Status.Hard) == 0 {
			return fmt.Errorf("its status is %+v", quota.Status)
		}
		return nil
	})
	return func(to string) time.Time {
		before := quota.DeepCopy()
		quota.Spec.Hard[corev1.ResourcePods] = resource.MustParse(to)
		require.NoError(t, k8s.Patch(t.Context(), quota, client.MergeFrom(before)))
		return time.Now()
	}
}

// A quota tells nobody when it has room again, so what it refused is tried again and again.
func TestAQuotaThatIsRaised(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	setQuota := withQuota(t, namespace, "0")
	c := create(t, namespace, "flame", replicas(3))
	status := c.Says(t, flamev1alpha1.ConditionSessionManagerReady, metav1.ConditionFalse, flamev1alpha1.ReasonRefused,
		`the ResourceQuota "few" refuses it`, "pods=1")
	assert.Equal(t, flamev1alpha1.StatePending, status.State)
	assert.NoError(t, mentions(status.Message, `the ResourceQuota "few" refuses it`))
	c.Says(t, flamev1alpha1.ConditionSpecValid, metav1.ConditionTrue, flamev1alpha1.ReasonValid)

	setQuota("2")
	status = c.Says(t, flamev1alpha1.ConditionExecutorsReady, metav1.ConditionFalse, flamev1alpha1.ReasonRefused,
		"1 of 3", `the ResourceQuota "few" refuses it`, "pods=1")
	assert.Equal(t, flamev1alpha1.StateRunning, status.State)
	assertNamesNoPod(t, status, c.AllLiving(t))

	raised := setQuota("10")
	c.Settled(t)
	t.Logf("All executor managers are ready %.1f s after the quota was raised.", time.Since(raised).Seconds())
}

// The object cache is made by its StatefulSet's controller, which waits for longer and
// longer after a refusal.
func TestAnObjectCacheWhoseQuotaIsRaised(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	c := create(t, namespace, "flame", replicas(0))
	c.Settled(t)
	setQuota := withQuota(t, namespace, "1")
	c.Apply(t, withCache)
	status := c.Says(t, flamev1alpha1.ConditionObjectCacheReady, metav1.ConditionFalse, flamev1alpha1.ReasonRefused,
		`the ResourceQuota "few" refuses it`, "pods=1")
	assert.Equal(t, flamev1alpha1.StateRunning, status.State)
	assert.NoError(t, mentions(status.Message, `the ResourceQuota "few" refuses it`))
	time.Sleep(time.Minute) // The controller waits half a minute and more by now.
	raised := setQuota("2")
	c.Settled(t)
	t.Logf("The object cache is ready %.1f s after the quota was raised.", time.Since(raised).Seconds())
}
