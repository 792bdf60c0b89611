// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build olm

package olmv1

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/test/live"
)

const (
	// tasks is how many run while the operator is updated, of this length each.
	tasks            = 60
	taskMilliseconds = 300
)

// life is a cluster, and what its containers were when it was at rest.
type life struct {
	cluster live.Cluster
	flame   live.Flame
	before  live.Lifetimes
}

// TestInstallUpdateRemove is one story: each step begins with what the one before
// has left. OLM v1 checks every update of the CRD, as it does by default.
func TestInstallUpdateRemove(t *testing.T) {
	addCatalog(t)
	install(t, oldVersion)
	installed(t, oldVersion)
	leads(t)

	l := &life{cluster: cluster.Create(t, cluster.NewNamespace(t), "flame", live.Replicas(2), live.WithClaim, live.WithCache)}
	l.cluster.Settled(t)
	l.flame = l.cluster.Flame(t)
	l.before = l.cluster.Lifetimes(t)

	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"an update disturbs no cluster", l.update},
		{"a ClusterExtension that is deleted takes the CRD along, and every cluster", l.remove},
	} {
		if !t.Run(step.name, step.run) {
			return
		}
	}
}

func (l *life) update(t *testing.T) {
	l.flame.Session(t, "update", tasks, taskMilliseconds)
	allow(t, ">="+oldVersion)
	installed(t, version)
	leads(t)
	l.flame.Succeed(t, "update", tasks)
	executions, err := l.flame.Executions(t.Context(), "update")
	require.NoError(t, err)
	assert.Len(t, executions, tasks)
	for task, times := range executions {
		assert.Equalf(t, 1, times, "executions of task %s", task)
	}
	// The new operator acts, and only on what it is asked for.
	l.cluster.Apply(t, live.Replicas(3))
	assert.EqualValues(t, 3, l.cluster.Settled(t).ExecutorManager.Ready)
	l.cluster.GoOn(t, l.before)
}

func (l *life) remove(t *testing.T) {
	remove(t)
	for _, object := range []client.Object{
		&apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "flameclusters.flame.xflops.io"}},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "flame-operator-flamecluster-editor-role"}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "flame-operator-leader-election-rolebinding"}},
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "flame-operator-controller-manager-metrics"}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: deploymentName}},
		&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: deploymentName}},
	} {
		gone(t, object)
	}
	for _, component := range []string{flamev1alpha1.ComponentSessionManager, flamev1alpha1.ComponentExecutorManager, flamev1alpha1.ComponentObjectCache} {
		l.cluster.Has(t, component, 0)
	}
	// Nobody but its owner deletes what sessions are kept in: whenDeleted is Retain.
	claim := &corev1.PersistentVolumeClaim{}
	require.NoError(t, k8s.Get(t.Context(), client.ObjectKey{Namespace: l.cluster.Namespace, Name: naming.SessionManager(l.cluster.Name)}, claim))
	assert.Nil(t, claim.DeletionTimestamp)
}
