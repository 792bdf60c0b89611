// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/apiserver"
)

// startOperator runs what main runs, with its caches and watches, until the test ends.
func startOperator(t *testing.T) (stop func()) {
	t.Helper()
	return startOperatorAs(t, apiserver.Config, nil)
}

// eventually runs the pods until a condition holds.
func (h *harness) eventually(what string, holds func() bool) {
	h.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		require.True(h, time.Now().Before(deadline), "never: %s", what)
		h.runPods()
	}
}

func TestWatchesWakeTheOperator(t *testing.T) {
	startOperator(t)
	h := newHarness(t)
	h.now = time.Now()
	cluster := h.create(withEverything)
	state := func() flamev1alpha1.FlameClusterStatus {
		require.NoError(t, h.live.Get(t.Context(), client.ObjectKeyFromObject(cluster), cluster))
		return cluster.Status
	}
	h.eventually("it runs", func() bool { return state().State == flamev1alpha1.StateRunning && state().ExecutorManager.Ready == 3 })

	stale := cluster.DeepCopy()
	stale.Status.ExecutorManager.Ready, stale.Status.State = 2, flamev1alpha1.StatePending
	require.NoError(t, h.live.Status().Update(t.Context(), stale))
	h.eventually("a status that is out of date is written again", func() bool {
		return state().State == flamev1alpha1.StateRunning && state().ExecutorManager.Ready == 3
	})

	for name, object := range h.children() {
		if _, claim := object.(*corev1.PersistentVolumeClaim); claim {
			continue // A claim is protected while a pod uses it.
		}
		before := object.GetUID()
		require.NoError(t, h.live.Delete(t.Context(), object))
		h.eventually("the "+name+" comes back", func() bool {
			err := h.live.Get(t.Context(), client.ObjectKeyFromObject(object), object)
			return err == nil && object.GetUID() != before
		})
	}

	before := uids(h.executors())
	lost := h.executors()[0]
	require.NoError(t, h.live.Delete(t.Context(), &lost, client.GracePeriodSeconds(0)))
	h.eventually("another pod takes its place", func() bool {
		return len(h.executors()) == 3 && state().ExecutorManager.Ready == 3
	})
	assert.NotElementsMatch(t, before, uids(h.executors()))

	stripped := h.executors()[0]
	stripped.Labels = nil
	require.NoError(t, h.live.Update(t.Context(), &stripped))
	h.eventually("its labels come back", func() bool {
		return len(h.executors()) == 3 && len(h.pods("")) == 4
	})

	require.NoError(t, h.live.Delete(t.Context(), h.sessionManager(cluster), client.GracePeriodSeconds(0)))
	h.eventually("the session manager comes back", func() bool {
		return h.sessionManager(cluster) != nil && state().SessionManager.Ready
	})
	assert.Len(t, h.pods(""), 4, "and nothing else was made")
}
