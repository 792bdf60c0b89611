// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

func TestPodsWakeTheirCluster(t *testing.T) {
	controlled := true
	owner := func(apiVersion, kind string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: "c", Controller: &controlled}}
	}
	ours := flamev1alpha1.GroupVersion.String()
	for name, test := range map[string]struct {
		owners    []metav1.OwnerReference
		component string
		wakes     bool
	}{
		"of a cluster's own":                  {owner(ours, "FlameCluster"), "", true},
		"of a cluster of another version":     {owner("flame.xflops.io/v1", "FlameCluster"), "", true},
		"of another kind of that name":        {owner(ours, "FlameRun"), "", false},
		"of a kind of that name of others":    {owner("example.org/v1", "FlameCluster"), "", false},
		"of nobody":                           {nil, flamev1alpha1.ComponentExecutorManager, false},
		"of an object cache, by its label":    {owner("apps/v1", "StatefulSet"), flamev1alpha1.ComponentObjectCache, true},
		"of a StatefulSet that is not a part": {owner("apps/v1", "StatefulSet"), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", OwnerReferences: test.owners}}
			pod.Labels = map[string]string{flamev1alpha1.LabelComponent: test.component, flamev1alpha1.LabelCluster: "c"}
			var want []reconcile.Request
			if test.wakes {
				want = []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: "ns", Name: "c"}}}
			}
			assert.Equal(t, want, byOwnerOrLabel(t.Context(), pod))
		})
	}
}
