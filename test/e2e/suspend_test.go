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
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

func TestSuspendAndResume(t *testing.T) {
	t.Parallel()
	const session = "sleeper"
	c := create(t, newNamespace(t), "flame", withCache, withClaim)
	c.Settled(t)
	api := c.Flame(t)
	api.Session(t, session, 2, 10)
	api.Succeed(t, session, 2)

	c.Apply(t, func(spec *flamev1alpha1.FlameClusterSpec) { spec.Suspend = true })
	eventually(t, "there are no pods", func(context.Context) error {
		for _, object := range children(t, c) {
			if pod, ok := object.(*corev1.Pod); ok {
				return fmt.Errorf("pod %s is %s", pod.Name, pod.Status.Phase)
			}
		}
		return nil
	})
	status := c.Says(t, flamev1alpha1.ConditionSessionManagerReady, metav1.ConditionFalse, flamev1alpha1.ReasonSuspended)
	assert.Equal(t, flamev1alpha1.StateSuspended, status.State)
	assert.False(t, status.SessionManager.Ready)
	assert.Zero(t, status.ExecutorManager.Replicas)
	assert.Zero(t, status.ExecutorManager.Desired)
	// Two Services, the ConfigMap, the ServiceAccount, the StatefulSet, the claim.
	assert.Len(t, children(t, c), 6, "everything but the pods stays")

	c.Apply(t, func(spec *flamev1alpha1.FlameClusterSpec) { spec.Suspend = false })
	c.Settled(t)
	sessions, err := api.Sessions(t.Context())
	require.NoError(t, err)
	assert.Contains(t, sessions, session, "it is back with its sessions")
}
