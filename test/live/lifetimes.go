// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Lifetimes are the lives of the containers of a cluster's pods: of which pod,
// since when, and after how many restarts.
type Lifetimes map[string]string

// Lifetimes returns those of all pods of the cluster.
func (c Cluster) Lifetimes(t *testing.T) Lifetimes {
	t.Helper()
	pods := &corev1.PodList{}
	require.NoError(t, c.k.Client.List(t.Context(), pods, client.InNamespace(c.Namespace), c.selected()))
	found := Lifetimes{}
	for _, pod := range pods.Items {
		for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
			since := "never"
			if status.State.Running != nil {
				since = status.State.Running.StartedAt.String()
			} else if status.State.Terminated != nil {
				since = status.State.Terminated.StartedAt.String()
			}
			found[pod.Name+"/"+status.Name] = fmt.Sprintf("pod %s, container %s since %s, restarts %d", pod.UID, status.ContainerID, since, status.RestartCount)
		}
	}
	return found
}

// GoOn makes sure that every container of before is still the same.
func (c Cluster) GoOn(t *testing.T, before Lifetimes) {
	t.Helper()
	require.NotEmpty(t, before)
	now := c.Lifetimes(t)
	for name, life := range before {
		assert.Equalf(t, life, now[name], "%s of cluster %s", name, c.Name)
	}
}
