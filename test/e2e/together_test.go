// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

func TestTwoClustersInOneNamespace(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	// One name begins with the other, and the names of its pods do, too.
	assertApart(t, create(t, namespace, "flame"), create(t, namespace, "flame-executor-manager"))
}

func TestSameNameInTwoNamespaces(t *testing.T) {
	t.Parallel()
	assertApart(t, create(t, newNamespace(t), "flame"), create(t, newNamespace(t), "flame"))
}

// assertApart makes sure that two clusters have nothing to do with each other.
func assertApart(t *testing.T, one, other flameCluster) {
	t.Helper()
	for _, c := range []flameCluster{one, other} {
		c.Settled(t)
		own := c.Has(t, flamev1alpha1.ComponentExecutorManager, 1)
		session := "of-" + c.Namespace + "-" + c.Name
		api := c.Flame(t)
		api.Session(t, session, 2, 10)
		api.Succeed(t, session, 2)
		nodes, err := api.Nodes(t.Context())
		require.NoError(t, err)
		assert.Equal(t, slices.Sorted(maps.Keys(own)), slices.Sorted(maps.Keys(nodes)), "the nodes of %s", c.Name)
		sessions, err := api.Sessions(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{session}, sessions, "the sessions of %s", c.Name)
	}

	before := other.AllLiving(t)
	one.delete(t)
	one.leaves(t)
	steadily(t, "the other cluster stays as it is", func(context.Context) error {
		if now := other.AllLiving(t); !maps.Equal(now, before) {
			return fmt.Errorf("its pods were %v and are %v", before, now)
		}
		return nil
	})
	other.Settled(t)
}
