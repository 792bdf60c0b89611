// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// NewNamespace makes a namespace that lasts as long as the test.
func (k *Kubernetes) NewNamespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "flame-e2e-",
		Labels: map[string]string{
			"flame.xflops.io/e2e":                "true",
			"pod-security.kubernetes.io/enforce": "restricted",
		},
		Annotations: map[string]string{"flame.xflops.io/test": t.Name()},
	}}
	require.NoError(t, k.Client.Create(t.Context(), namespace))
	t.Cleanup(func() {
		// The test's own context has ended.
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if t.Failed() {
			k.dump(ctx, t, namespace.Name)
		}
		k.deleteNamespace(ctx, t, namespace)
	})
	return namespace.Name
}

// deleteNamespace deletes the clusters first: what they own would be made again
// for as long as they are there.
func (k *Kubernetes) deleteNamespace(ctx context.Context, t *testing.T, namespace *corev1.Namespace) {
	err := k.Client.DeleteAllOf(ctx, &flamev1alpha1.FlameCluster{}, client.InNamespace(namespace.Name))
	// Before the operator is installed for the first time there can be none.
	if err == nil || apimeta.IsNoMatchError(err) {
		err = k.Client.Delete(ctx, namespace)
	}
	if client.IgnoreNotFound(err) != nil {
		t.Errorf("delete namespace %s: %v", namespace.Name, err)
	}
}
