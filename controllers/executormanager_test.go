// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/test/clusters"
)

func replicas(count int32) func(*flamev1alpha1.FlameClusterSpec) {
	return func(s *flamev1alpha1.FlameClusterSpec) { s.ExecutorManager.Replicas = &count }
}

func uids(pods []corev1.Pod) []types.UID {
	var list []types.UID
	for _, pod := range pods {
		list = append(list, pod.UID)
	}
	return list
}

func TestALaggingCacheNeverMakesAPodTooMany(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	h.cache.lags = true
	for _, wanted := range []int32{3, 5, 2, 4} {
		h.now = h.now.Add(time.Minute) // Flame has seen the pods that run.
		most := max(int(wanted), len(h.executors()))
		h.edit(cluster, replicas(wanted))
		live := 0
		for range 5 {
			_, err := h.step(cluster)
			require.NoError(t, err)
			live = 0
			for _, pod := range h.executors() {
				if pod.DeletionTimestamp == nil {
					live++
				}
			}
			assert.LessOrEqual(t, live, most)
			assert.GreaterOrEqual(t, live, min(most, int(wanted)))
		}
		assert.Equal(t, int(wanted), live)
		h.runPods()
		require.NoError(t, h.cache.catchUp(t.Context()))
	}
}

func TestAStrippedLabelNeverMakesAPodTooMany(t *testing.T) {
	for name, restart := range map[string]bool{"while the operator runs": false, "while the operator is away": true} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			cluster := h.create(clusters.Minimal)
			h.edit(cluster, replicas(3))
			h.settle(cluster)
			before := uids(h.executors())

			for i, label := range []string{flamev1alpha1.LabelInstance, flamev1alpha1.LabelComponent} {
				pod := h.executors()[i]
				delete(pod.Labels, label)
				require.NoError(t, h.live.Update(t.Context(), &pod))
			}
			if restart {
				h.now = h.now.Add(time.Minute)
				h.restart()
			}
			h.settle(cluster)
			assert.ElementsMatch(t, before, uids(h.executors()), "with their labels again")
			assert.Len(t, h.pods(""), 4)
		})
	}
}

func TestAStrippedLabelOfTheSessionManagerComesBack(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	pod := h.sessionManager(cluster)
	pod.Labels = nil
	require.NoError(t, h.live.Update(t.Context(), pod))
	h.settle(cluster)
	after := h.sessionManager(cluster)
	assert.Equal(t, pod.UID, after.UID)
	assert.Equal(t, "true", after.Labels[flamev1alpha1.LabelServing])
	assert.Equal(t, "c", after.Labels[flamev1alpha1.LabelInstance])
}

func TestFailedExecutorManagersAreReplacedSlowerAndSlower(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	created := 0
	for range 40 {
		for _, pod := range h.executors() {
			if pod.Status.Phase != corev1.PodFailed {
				created++
				h.setStatus(&pod, failedStatus(flamev1alpha1.ComponentExecutorManager, h.now))
			}
		}
		result, err := h.step(cluster)
		require.NoError(t, err)
		assert.LessOrEqual(t, len(h.executors()), 2, "the one that failed and the one in its place")
		h.now = h.now.Add(max(time.Second, min(result.RequeueAfter, 10*time.Second)))
	}
	assert.Less(t, created, 12, "pods in some five minutes")
	assert.Equal(t, flamev1alpha1.StateFailed, cluster.Status.State)
	assert.Contains(t, cluster.Status.Message, "ended with exit code 1")
}

// A sidecar that runs on keeps the phase of a pod Running, and would go on for the whole
// time that an executor manager gets to end its tasks.
func TestAnExecutorManagerThatEndsBesideASidecarIsReplaced(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	dead := h.executors()[0]
	h.bind(&dead)
	require.NoError(t, h.live.Get(t.Context(), client.ObjectKeyFromObject(&dead), &dead))
	status := *dead.Status.DeepCopy()
	at := metav1.NewTime(h.now)
	status.Conditions = nil
	status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, StartedAt: at, FinishedAt: at}}
	status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
		Name: "sidecar", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at}},
	})
	h.setStatus(&dead, status)
	_, err := h.step(cluster)
	require.NoError(t, err)
	require.Len(t, h.executors(), 2, "another takes its place")
	require.NoError(t, h.live.Get(t.Context(), client.ObjectKeyFromObject(&dead), &dead))
	require.NotNil(t, dead.DeletionTimestamp)
	assert.EqualValues(t, 1, *dead.DeletionGracePeriodSeconds, "there is no task to wait for")
	h.settle(cluster)
	assert.Len(t, h.executors(), 1)
	assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
}

func TestAnUpdateSurgesAndRetires(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.edit(cluster, replicas(4))
	h.settle(cluster)
	before := uids(h.executors())
	session := h.sessionManager(cluster).UID

	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
		s.ExecutorManager.Image = "docker.io/xflops/flame-executor-manager:v0.6.1"
	})
	for range 20 {
		_, err := h.step(cluster)
		require.NoError(t, err)
		ready := 0
		for _, pod := range h.executors() {
			if pod.DeletionTimestamp == nil && isReady(&pod) {
				ready++
			}
		}
		assert.GreaterOrEqual(t, ready, 4)
		assert.LessOrEqual(t, len(h.executors()), 5+1, "four, one more, and one that goes")
		h.runPods()
	}
	h.settle(cluster)
	for _, pod := range h.executors() {
		assert.NotContains(t, before, pod.UID)
	}
	assert.Equal(t, int32(4), cluster.Status.ExecutorManager.Updated)
	assert.Equal(t, session, h.sessionManager(cluster).UID, "the session manager has nothing to do with it")
}

func TestABadTemplateStopsTheUpdateWithTheOldPodsAtWork(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.edit(cluster, replicas(4))
	h.settle(cluster)
	before := uids(h.executors())
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
		s.ExecutorManager.Image = "docker.io/xflops/no-such-image:v0.6.0"
	})
	for range 10 {
		_, err := h.step(cluster)
		require.NoError(t, err)
		for _, pod := range h.executors() {
			if pod.Status.StartTime == nil {
				h.setStatus(&pod, waitingStatus("ErrImagePull"))
			}
		}
		h.now = h.now.Add(time.Minute)
	}
	assert.Subset(t, uids(h.executors()), before)
	assert.Len(t, h.executors(), 5)
	assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
	assert.Equal(t, "UpdateStopped", reason(cluster, flamev1alpha1.ConditionProgressing))

	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
		s.ExecutorManager.Image = "docker.io/xflops/flame-executor-manager:v0.6.0"
	})
	h.settle(cluster)
	assert.ElementsMatch(t, before, uids(h.executors()), "the way back replaces nothing")
}

func TestSuspendAndResume(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(withEverything)
	h.settle(cluster)
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.Suspend = true })
	h.settle(cluster)
	assert.Empty(t, h.pods(""))
	assert.Equal(t, flamev1alpha1.StateSuspended, cluster.Status.State)
	assert.Len(t, h.children(), 6, "volumes, configuration and Services stay")
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.Suspend = false })
	h.settle(cluster)
	assert.Len(t, h.executors(), 3)
	assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
}

func TestADeletedClusterIsLeftToItsOwnersButDoesNotWaitForItsTasks(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	executor := h.executors()[0]
	require.NoError(t, h.live.Delete(t.Context(), cluster, client.PropagationPolicy("Foreground")))
	before := h.requests.writes()
	_, err := h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, []string{"DELETE /api/v1/namespaces/" + h.namespace + "/pods/" + executor.Name}, h.requests.list[before:])

	before = h.requests.writes()
	_, err = h.step(cluster)
	require.NoError(t, err)
	assert.Empty(t, h.requests.list[before:], "once is enough")
}

// TestSuspendNeedsNothingElse suspends a cluster of which it cannot be said what it
// consists of.
func TestSuspendNeedsNothingElse(t *testing.T) {
	for name, spoil := range map[string]func(*flamev1alpha1.FlameClusterSpec){
		"a Secret is missing": func(s *flamev1alpha1.FlameClusterSpec) {
			s.SessionManager.Storage = flamev1alpha1.SessionManagerStorage{URISecretRef: &flamev1alpha1.SecretKeyReference{Name: "gone", Key: "uri"}}
		},
		"the spec is invalid": func(s *flamev1alpha1.FlameClusterSpec) { s.FlameVersion = "9.9.9" },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			cluster := h.create(clusters.MinimalWithCache)
			h.settle(cluster)
			h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
				spoil(s)
				s.Suspend = true
			})
			h.settle(cluster)
			assert.Empty(t, h.pods(""))
			assert.Zero(t, *h.get(&appsv1.StatefulSet{}, "c-object-cache").(*appsv1.StatefulSet).Spec.Replicas)
			assert.Equal(t, flamev1alpha1.StateSuspended, cluster.Status.State)
			assert.Zero(t, cluster.Status.ExecutorManager.Desired)
			h.writesNothing(cluster)

			h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
				*s = clusters.Parse(t, clusters.MinimalWithCache).Spec
			})
			h.settle(cluster)
			assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
			assert.Equal(t, int32(1), *h.get(&appsv1.StatefulSet{}, "c-object-cache").(*appsv1.StatefulSet).Spec.Replicas)
		})
	}
}

func TestOrphanedExecutorManagersAreNobodysAndStay(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	require.NoError(t, h.live.Delete(t.Context(), cluster, client.PropagationPolicy("Orphan")))
	h.writesNothing(cluster)
}

func TestOrphansStayThoughTheCacheShowsTheirOwner(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	h.cache.lags = true
	for _, pod := range h.executors() {
		pod.OwnerReferences = nil
		require.NoError(t, h.live.Update(t.Context(), &pod))
	}
	require.NoError(t, h.live.Delete(t.Context(), cluster))
	h.writesNothing(cluster)
}

func TestACacheThatDoesNotShowAClusterEndsNobodysWork(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	before := h.requests.writes()
	require.NoError(t, h.reconciler.hurryUp(t.Context(), client.ObjectKeyFromObject(cluster)))
	assert.Empty(t, h.requests.list[before:])
}

func TestAClusterInANamespaceThatGoesIsLeftAlone(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: h.namespace}}
	require.NoError(t, h.live.Delete(t.Context(), namespace))
	for _, pod := range h.executors() {
		require.NoError(t, h.live.Delete(t.Context(), &pod, client.GracePeriodSeconds(0)))
	}
	require.NoError(t, h.live.Delete(t.Context(), h.get(&corev1.ConfigMap{}, naming.Config(cluster.Name))))
	result, err := h.step(cluster)
	require.NoError(t, err, "there is nothing to try again")
	assert.Zero(t, result)
}
