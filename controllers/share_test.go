// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/rollout"
	"github.com/xflops/flame-operator/test/clusters"
)

func TestAClusterThatIsAloneGetsItsPodsInOnePassAndOneAmongManySome(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)

	h.edit(cluster, replicas(81))
	others := 3
	for range others {
		h.reconciler.passes.Add(1)
	}
	_, err := h.step(cluster)
	require.NoError(t, err)
	assert.Len(t, h.executors(), 1+rollout.AtOnce/(others+1))
	for range others {
		h.reconciler.passes.Add(-1)
	}
	h.edit(cluster, replicas(141))
	_, err = h.step(cluster)
	require.NoError(t, err)
	assert.Len(t, h.executors(), 141)
	assert.Zero(t, h.reconciler.passes.Load(), "every pass leaves")
}

func TestAClusterWithoutPodsLeavesRoomForTheFirstPodsOfOthers(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.edit(cluster, replicas(100))
	for range 3 {
		h.reconciler.passes.Add(1)
	}
	_, err := h.step(cluster)
	require.NoError(t, err)
	assert.Len(t, h.executors(), rollout.AtOnce/4/rollout.FirstPart)
	_, err = h.step(cluster)
	require.NoError(t, err)
	assert.Len(t, h.executors(), rollout.AtOnce/4/rollout.FirstPart+rollout.AtOnce/4)
}
