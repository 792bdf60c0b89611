// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// newNamespace makes a namespace that lasts as long as the test.
func newNamespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "flame-e2e-",
		Labels: map[string]string{
			"flame.xflops.io/e2e":                "true",
			"pod-security.kubernetes.io/enforce": "restricted",
		},
		Annotations: map[string]string{"flame.xflops.io/test": t.Name()},
	}}
	require.NoError(t, k8s.Create(t.Context(), namespace))
	t.Cleanup(func() {
		// The test's own context has ended.
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if t.Failed() {
			dump(ctx, t, namespace.Name)
		}
		deleteNamespace(ctx, t, namespace)
	})
	return namespace.Name
}

// deleteNamespace deletes the clusters first: what they own would be made again
// for as long as they are there.
func deleteNamespace(ctx context.Context, t *testing.T, namespace *corev1.Namespace) {
	err := k8s.DeleteAllOf(ctx, &flamev1alpha1.FlameCluster{}, client.InNamespace(namespace.Name))
	if err == nil {
		err = k8s.Delete(ctx, namespace)
	}
	if client.IgnoreNotFound(err) != nil {
		t.Errorf("delete namespace %s: %v", namespace.Name, err)
	}
}
