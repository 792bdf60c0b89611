// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/test/clusters"
)

func TestPassesShareWhatMayBeCreatedAtOnce(t *testing.T) {
	s := &share{}
	s.enter()
	assert.Equal(t, atOnce, s.each(false), "alone")
	assert.Equal(t, atOnce, s.each(true), "alone and without pods")
	for range workers - 1 {
		s.enter()
	}
	assert.Equal(t, 30, s.each(false), "with all workers busy")
	assert.Equal(t, 10, s.each(true), "with all workers busy and without pods")
	for range workers - 1 {
		s.leave()
	}
	assert.Equal(t, atOnce, s.each(false), "alone again")
}

func TestAClusterThatIsAloneGetsItsPodsInOnePassAndOneAmongManySome(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)

	h.edit(cluster, replicas(81))
	others := 3
	for range others {
		h.reconciler.share.enter()
	}
	_, err := h.step(cluster)
	require.NoError(t, err)
	assert.Len(t, h.executors(), 1+atOnce/(others+1))
	for range others {
		h.reconciler.share.leave()
	}
	h.edit(cluster, replicas(141))
	_, err = h.step(cluster)
	require.NoError(t, err)
	assert.Len(t, h.executors(), 141)
	assert.Zero(t, h.reconciler.share.passes.Load(), "every pass leaves")
}

func TestAClusterWithoutPodsLeavesRoomForTheFirstPodsOfOthers(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.edit(cluster, replicas(100))
	for range 3 {
		h.reconciler.share.enter()
	}
	_, err := h.step(cluster)
	require.NoError(t, err)
	assert.Len(t, h.executors(), atOnce/4/firstPart)
	_, err = h.step(cluster)
	require.NoError(t, err)
	assert.Len(t, h.executors(), atOnce/4/firstPart+atOnce/4)
}
