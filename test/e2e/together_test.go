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
		c.settled(t)
		own := c.has(t, flamev1alpha1.ComponentExecutorManager, 1)
		session := "of-" + c.namespace + "-" + c.name
		api := c.flame(t)
		api.session(t, session, 2, 10)
		api.succeed(t, session, 2)
		nodes, err := api.nodes(t.Context())
		require.NoError(t, err)
		assert.Equal(t, slices.Sorted(maps.Keys(own)), slices.Sorted(maps.Keys(nodes)), "the nodes of %s", c.name)
		sessions, err := api.sessions(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{session}, sessions, "the sessions of %s", c.name)
	}

	before := other.allLiving(t)
	one.delete(t)
	one.leaves(t)
	steadily(t, "the other cluster stays as it is", func(context.Context) error {
		if now := other.allLiving(t); !maps.Equal(now, before) {
			return fmt.Errorf("its pods were %v and are %v", before, now)
		}
		return nil
	})
	other.settled(t)
}
