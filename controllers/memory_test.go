// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/clusters"
)

func TestAClusterMadeAgainUnderItsNameRemembersNothing(t *testing.T) {
	var remembered memories
	begin := func(cluster *flamev1alpha1.FlameCluster) *memory { return &memory{uid: cluster.UID} }
	first := &flamev1alpha1.FlameCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "c", UID: "1"}}
	other := &flamev1alpha1.FlameCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "b", Name: "c", UID: "2"}}
	again := &flamev1alpha1.FlameCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "c", UID: "3"}}

	before := remembered.of(first, begin)
	assert.Same(t, before, remembered.of(first, begin), "each pass has that of the one before")
	assert.NotSame(t, before, remembered.of(other, begin))
	assert.NotSame(t, before, remembered.of(again, begin))

	remembered.forget(client.ObjectKeyFromObject(again))
	assert.Equal(t, []any{client.ObjectKeyFromObject(other)}, remembered.names())
}

func TestTheMemoryOfADeletedClusterIsDropped(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	require.Len(t, h.reconciler.memories.names(), 1)
	require.NoError(t, h.live.Delete(t.Context(), cluster))
	_, err := h.step(cluster)
	require.NoError(t, err)
	assert.Empty(t, h.reconciler.memories.names())
}

func (m *memories) names() (names []any) {
	m.all.Range(func(name, _ any) bool { names = append(names, name); return true })
	return names
}
