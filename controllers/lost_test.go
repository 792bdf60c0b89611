// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/test/clusters"
)

// losses returns the events so far that tell of lost tasks.
func (h *harness) losses() []string {
	var losses []string
	for {
		select {
		case event := <-h.recorder.Events:
			if strings.Contains(event, flamev1alpha1.ReasonTasksLost) {
				losses = append(losses, event)
			}
		default:
			return losses
		}
	}
}

// loses has Flame say now that session s lacks tasks.
func (h *harness) loses(tasks ...int64) {
	h.flame.mu.Lock()
	defer h.flame.mu.Unlock()
	h.flame.sessions = []observation.Session{{ID: "s", Open: true, Succeeded: 7}}
	h.flame.lost, h.flame.lostAt = map[string][]int64{"s": tasks}, h.now
}

func TestLostTasksAreReportedOnceAndUntilTheSessionManagerIsReplaced(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Storage.ExistingClaim = "claim" })
	h.settle(cluster)
	said := func() *metav1.Condition {
		return meta.FindStatusCondition(cluster.Status.Conditions, flamev1alpha1.ConditionSessionManagerReady)
	}
	assert.Empty(t, h.losses())

	h.now = h.now.Add(time.Minute)
	h.loses(2)
	h.settle(cluster)
	assert.Equal(t, int32(1), cluster.Status.Load.TasksLost)
	assert.Equal(t, flamev1alpha1.ReasonTasksLost, said().Reason)
	told := h.losses()
	require.Len(t, told, 1)
	assert.Equal(t, "Warning TasksLost "+said().Message, told[0])
	assert.Contains(t, told[0], `session "s": 2`)

	h.loses(2, 5)
	h.settle(cluster)
	assert.Equal(t, int32(2), cluster.Status.Load.TasksLost)
	told = h.losses()
	require.Len(t, told, 1, "one more is told")
	assert.Contains(t, told[0], `session "s": 2, 5`)
	before := h.requests.writes()
	h.restart()
	h.settle(cluster)
	assert.Equal(t, before, h.requests.writes(), "a new operator has nothing to add")

	// The documentation says to do so.
	old, pods := h.sessionManager(cluster).UID, uids(h.executors())
	h.now = h.now.Add(time.Minute)
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
		s.SessionManager.PodTemplate = &runtime.RawExtension{Raw: []byte(`{"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}`)}
	})
	h.settle(cluster)
	assert.NotEqual(t, old, h.sessionManager(cluster).UID)
	assert.Equal(t, pods, uids(h.executors()), "no executor manager is concerned")
	assert.Zero(t, cluster.Status.Load.TasksLost)
	assert.Equal(t, flamev1alpha1.ReasonReady, said().Reason)
	assert.Empty(t, h.losses())
}
