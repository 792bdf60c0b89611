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
	c.settled(t)
	api := c.flame(t)
	api.session(t, session, 2, 10)
	api.succeed(t, session, 2)

	c.apply(t, func(spec *flamev1alpha1.FlameClusterSpec) { spec.Suspend = true })
	eventually(t, "there are no pods", func(context.Context) error {
		for _, object := range children(t, c) {
			if pod, ok := object.(*corev1.Pod); ok {
				return fmt.Errorf("pod %s is %s", pod.Name, pod.Status.Phase)
			}
		}
		return nil
	})
	status := c.says(t, flamev1alpha1.ConditionReady, metav1.ConditionFalse, flamev1alpha1.ReasonSuspended)
	assert.Equal(t, flamev1alpha1.StateSuspended, status.State)
	assert.False(t, status.SessionManager.Ready)
	assert.Zero(t, status.ExecutorManager.Replicas)
	assert.Zero(t, status.ExecutorManager.Desired)
	// Two Services, the ConfigMap, the ServiceAccount, the StatefulSet, the claim.
	assert.Len(t, children(t, c), 6, "everything but the pods stays")

	c.apply(t, func(spec *flamev1alpha1.FlameClusterSpec) { spec.Suspend = false })
	c.settled(t)
	sessions, err := api.sessions(t.Context())
	require.NoError(t, err)
	assert.Contains(t, sessions, session, "it is back with its sessions")
}
