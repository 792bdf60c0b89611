// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build olm

package olm

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/live"
)

// tenant is an installation that manages some namespaces, and a cluster in each.
type tenant struct {
	installation
	targets  []string
	clusters []live.Cluster
}

// TestInstallModes has an operator of each mode that is not AllNamespaces on one
// cluster at the same time, each beside what is the others', and one namespace
// that is nobody's.
func TestInstallModes(t *testing.T) {
	tenants := map[string]*tenant{}
	own := inItsNamespace(t, catalogName)
	tenants["OwnNamespace"] = &tenant{installation: own, targets: []string{own.namespace}}
	for mode, n := range map[string]int{"SingleNamespace": 1, "MultiNamespace": 2} {
		var targets []string
		for range n {
			targets = append(targets, cluster.NewNamespace(t))
		}
		tenants[mode] = &tenant{installation: newInstallation(t, catalogName, targets...), targets: targets}
	}
	for _, tenant := range tenants {
		tenant.subscribe(t, "")
	}
	for _, tenant := range tenants {
		tenant.succeeds(t, version)
	}

	outside := cluster.Create(t, cluster.NewNamespace(t), "outside")
	for _, tenant := range tenants {
		for _, target := range tenant.targets {
			tenant.clusters = append(tenant.clusters, cluster.Create(t, target, "inside"))
		}
	}
	for mode, tenant := range tenants {
		t.Run(mode, func(t *testing.T) {
			for _, c := range tenant.clusters {
				c.Settled(t)
				c.Flame(t).Session(t, "mode", 2, taskMilliseconds)
				c.Flame(t).Succeed(t, "mode", 2)
			}
			tenant.assertRights(t, tenant.targets, outside.Namespace)
			tenant.assertRefused(t, outside)
			for _, other := range tenants {
				if other != tenant {
					tenant.assertRefused(t, other.clusters[0])
				}
			}
		})
	}
	t.Run("a FlameCluster outside is left alone", func(t *testing.T) {
		steadily(t, "nobody touches it", func(ctx context.Context) error { return untouched(ctx, outside) })
	})
}

// untouched checks that no operator has as much as looked at a cluster.
func untouched(ctx context.Context, c live.Cluster) error {
	object, err := c.Get(ctx)
	if err != nil {
		return err
	}
	if object.Status.State != "" || object.Status.ObservedGeneration != 0 {
		return fmt.Errorf("it has a status: %+v", object.Status)
	}
	for _, list := range []client.ObjectList{&corev1.PodList{}, &corev1.ServiceList{}, &corev1.PersistentVolumeClaimList{}} {
		if err := k8s.List(ctx, list, client.InNamespace(c.Namespace), client.MatchingLabels{flamev1alpha1.LabelCluster: c.Name}); err != nil {
			return err
		}
		if n := apimeta.LenList(list); n != 0 {
			return fmt.Errorf("there are %d of %T", n, list)
		}
	}
	return nil
}

// assertRefused makes requests as the operator in the namespace of a cluster that
// is none of its own.
func (i installation) assertRefused(t *testing.T, outside live.Cluster) {
	t.Helper()
	operator := i.asOperator(t)
	in := client.InNamespace(outside.Namespace)
	object, err := outside.Get(t.Context())
	require.NoError(t, err)
	made := &corev1.ConfigMap{}
	made.Namespace, made.Name = outside.Namespace, "made"
	for what, err := range map[string]error{
		"read the FlameCluster":            operator.Get(t.Context(), outside.Key(), &flamev1alpha1.FlameCluster{}),
		"list FlameClusters":               operator.List(t.Context(), &flamev1alpha1.FlameClusterList{}, in),
		"list FlameClusters of everywhere": operator.List(t.Context(), &flamev1alpha1.FlameClusterList{}),
		"list pods of everywhere":          operator.List(t.Context(), &corev1.PodList{}),
		"list pods":                        operator.List(t.Context(), &corev1.PodList{}, in),
		"create a ConfigMap":               operator.Create(t.Context(), made),
		"write the status":                 operator.Status().Patch(t.Context(), object, client.RawPatch(types.MergePatchType, []byte(`{"status":{"message":"x"}}`))),
	} {
		assert.Truef(t, apierrors.IsForbidden(err), "%s in %s: %v", what, outside.Namespace, err)
	}
}
