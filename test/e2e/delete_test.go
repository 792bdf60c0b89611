// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
)

func TestDeletedClusterLeavesOnlyWhatItShouldKeep(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	cacheClaim := func(spec *flamev1alpha1.FlameClusterSpec) { spec.ObjectCache.Storage.VolumeClaimTemplate = claim() }
	deleteClaims := func(spec *flamev1alpha1.FlameClusterSpec) {
		spec.SessionManager.Storage.WhenDeleted = flamev1alpha1.WhenDeletedDelete
		spec.ObjectCache.Storage.WhenDeleted = flamev1alpha1.WhenDeletedDelete
	}
	kept := create(t, namespace, "kept", withCache, withClaim, cacheClaim)
	dropped := create(t, namespace, "dropped", withCache, withClaim, cacheClaim, deleteClaims)
	kept.Settled(t)
	dropped.Settled(t)

	kept.delete(t)
	dropped.delete(t)
	dropped.leaves(t)
	kept.leaves(t, "PersistentVolumeClaim "+naming.SessionManager(kept.Name),
		"PersistentVolumeClaim objects-"+naming.ObjectCache(kept.Name)+"-0")

	t.Run("a new cluster of the same name takes the kept claims over", func(t *testing.T) {
		create(t, namespace, "kept", withCache, withClaim, cacheClaim).Settled(t)
	})
}

func (c flameCluster) delete(t *testing.T) {
	t.Helper()
	object, err := c.Get(t.Context())
	require.NoError(t, err)
	require.NoError(t, k8s.Delete(t.Context(), object))
}

// leaves waits until only these objects of a deleted cluster are left, each as
// its kind and name, and makes sure that it stays so.
func (c flameCluster) leaves(t *testing.T, wanted ...string) {
	t.Helper()
	slices.Sort(wanted)
	check := func(context.Context) error {
		var left []string
		for _, object := range children(t, c) {
			kind, err := k8s.GroupVersionKindFor(object)
			require.NoError(t, err)
			left = append(left, kind.Kind+" "+object.GetName())
		}
		if slices.Sort(left); !slices.Equal(left, wanted) {
			return fmt.Errorf("what is left is %q and not %q", left, wanted)
		}
		return nil
	}
	eventually(t, fmt.Sprintf("%s: leaves %q", c.Name, wanted), check)
	steadily(t, "nothing comes back", check)
}
