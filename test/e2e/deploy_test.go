// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
)

// completed finds the node that a task ran on in what flmping prints.
var completed = regexp.MustCompile(`Completed on <?([a-z0-9-]+)>? in`)

func TestFlameClusterRunsTasks(t *testing.T) {
	t.Parallel()
	c := create(t, newNamespace(t), "flame", withCache, withClaim)
	status := c.Settled(t)

	assert.True(t, status.SessionManager.Ready)
	assert.Equal(t, naming.Endpoint(c.Name, c.Namespace), status.SessionManager.Endpoint)
	require.NotNil(t, status.ObjectCache)
	assert.True(t, status.ObjectCache.Ready)
	assert.Equal(t, naming.CacheEndpoint(c.Name, c.Namespace), status.ObjectCache.Endpoint)
	assertNamesNoPod(t, status, executorsOf(t, c))

	t.Run("a client that knows only the endpoint of the status runs tasks", func(t *testing.T) {
		text := c.client(t, "flmping", "-t", "3")
		nodes := completed.FindAllStringSubmatch(text, -1)
		require.Lenf(t, nodes, 3, "in\n%s", text)
		for _, node := range nodes {
			assert.Contains(t, executorsOf(t, c), node[1])
		}
	})
	t.Run("everything has the cluster for its controller but the claim that is kept", func(t *testing.T) {
		assertOwned(t, c)
	})
	t.Run("a token of Kubernetes is in no pod", func(t *testing.T) {
		pods := &corev1.PodList{}
		require.NoError(t, k8s.List(t.Context(), pods, client.InNamespace(c.Namespace), ofCluster(c)))
		for _, pod := range pods.Items {
			for _, volume := range pod.Spec.Volumes {
				assert.Nilf(t, volume.Projected, "volume %s of pod %s", volume.Name, pod.Name)
			}
		}
	})
	t.Run("a cluster at rest is not written to", func(t *testing.T) {
		before, err := c.Get(t.Context())
		require.NoError(t, err)
		steadily(t, "the FlameCluster stays as it is", unchanged(c, before.ResourceVersion))
	})
}

func ofCluster(c flameCluster) client.MatchingLabels {
	return client.MatchingLabels{flamev1alpha1.LabelCluster: c.Name}
}

// children returns every object that carries the cluster's label.
func children(t *testing.T, c flameCluster) []client.Object {
	t.Helper()
	lists := []client.ObjectList{
		&corev1.PodList{}, &corev1.ServiceList{}, &corev1.ConfigMapList{}, &corev1.SecretList{}, &corev1.ServiceAccountList{},
		&corev1.PersistentVolumeClaimList{}, &appsv1.StatefulSetList{},
	}
	var found []client.Object
	for _, list := range lists {
		require.NoError(t, k8s.List(t.Context(), list, client.InNamespace(c.Namespace), ofCluster(c)))
		objects, err := apimeta.ExtractList(list)
		require.NoError(t, err)
		for _, object := range objects {
			found = append(found, object.(client.Object))
		}
	}
	return found
}

func assertOwned(t *testing.T, c flameCluster) {
	t.Helper()
	owner, err := c.Get(t.Context())
	require.NoError(t, err)
	// Two Services, the ConfigMap, the ServiceAccount, the StatefulSet and its pod,
	// the session manager with its claim, and an executor manager.
	found := children(t, c)
	require.Len(t, found, 9)
	for _, object := range found {
		reference := metav1.GetControllerOf(object)
		_, isClaim := object.(*corev1.PersistentVolumeClaim)
		switch {
		case isClaim:
			assert.Nilf(t, reference, "%T %s", object, object.GetName())
		case object.GetLabels()[flamev1alpha1.LabelComponent] == flamev1alpha1.ComponentObjectCache && reference != nil && reference.Kind == "StatefulSet":
			assert.Equal(t, naming.ObjectCache(c.Name), reference.Name)
		case assert.NotNilf(t, reference, "%T %s", object, object.GetName()):
			assert.Equalf(t, owner.UID, reference.UID, "%T %s", object, object.GetName())
		}
	}
}

// unchanged checks that nobody has written to a cluster.
func unchanged(c flameCluster, resourceVersion string) func(context.Context) error {
	return func(ctx context.Context) error {
		now, err := c.Get(ctx)
		if err == nil && now.ResourceVersion != resourceVersion {
			err = fmt.Errorf("it was written to: %+v", now.Status)
		}
		return err
	}
}
