// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/clusters"
)

func waitingStatus(why string) corev1.PodStatus {
	return corev1.PodStatus{
		Phase: corev1.PodPending,
		ContainerStatuses: []corev1.ContainerStatus{{
			Image: "x", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: why}},
		}},
	}
}

func reason(cluster *flamev1alpha1.FlameCluster, kind string) string {
	condition := meta.FindStatusCondition(cluster.Status.Conditions, kind)
	if condition == nil {
		return ""
	}
	return condition.Reason
}

func TestAPlannedReplacementLeavesTheServiceFirst(t *testing.T) {
	h := newHarness(t)
	// Without a claim the new one would know no session, and executor managers that
	// started before it would be replaced.
	cluster := h.create(`
metadata: {name: c}
spec:
  sessionManager:
    image: docker.io/xflops/flame-session-manager:v0.6.0
    storage: {volumeClaimTemplate: {resources: {requests: {storage: 1Gi}}}}
  executorManager: {image: docker.io/xflops/flame-executor-manager:v0.6.0}
`)
	h.settle(cluster)
	old := h.sessionManager(cluster)
	executors := uids(h.executors())
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.ScheduleIntervalMilliseconds = 500 })

	result, err := h.step(cluster)
	require.NoError(t, err)
	assert.InDelta(t, 3, result.RequeueAfter.Seconds(), 0.1)
	withdrawn := h.sessionManager(cluster)
	assert.Equal(t, old.UID, withdrawn.UID)
	assert.Equal(t, "false", withdrawn.Labels[flamev1alpha1.LabelServing])
	assert.Nil(t, withdrawn.DeletionTimestamp)
	assert.Equal(t, "Replacing", reason(cluster, flamev1alpha1.ConditionSessionManagerReady))

	h.restart()
	_, err = h.step(cluster)
	require.NoError(t, err)
	assert.Nil(t, h.sessionManager(cluster).DeletionTimestamp, "not before the nodes know")

	h.now = h.now.Add(4 * time.Second)
	_, err = h.step(cluster)
	require.NoError(t, err)
	h.runPods()
	h.settle(cluster)
	replaced := h.sessionManager(cluster)
	assert.NotEqual(t, old.UID, replaced.UID)
	assert.Equal(t, "true", replaced.Labels[flamev1alpha1.LabelServing])
	assert.Equal(t, executors, uids(h.executors()), "executor managers read nothing of it")
	assert.Equal(t, "true", replaced.Annotations[flamev1alpha1.AnnotationFollowsWithdrawn], "nobody hangs")
}

func TestAReplacementThatIsNoLongerWantedIsCalledOff(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	old := h.sessionManager(cluster).UID
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.MaxSessions = 5 })
	_, err := h.step(cluster)
	require.NoError(t, err)
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.MaxSessions = 1000 })
	h.settle(cluster)
	pod := h.sessionManager(cluster)
	assert.Equal(t, old, pod.UID)
	assert.Equal(t, "true", pod.Labels[flamev1alpha1.LabelServing])
}

func TestASessionManagerThatTheAPIServerRefusesDoesNotReplaceTheOldOne(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	old := h.sessionManager(cluster)
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
		s.SessionManager.Tolerations = []corev1.Toleration{{Key: "a", Operator: "Sometimes"}}
	})
	result, err := h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, refusedDelay, result.RequeueAfter)
	assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
	assert.Contains(t, cluster.Status.Message, "Sometimes")
	after := h.sessionManager(cluster)
	assert.Equal(t, old.ResourceVersion, after.ResourceVersion, "it is as it was")
}

func TestTheSessionManagerIsMadeAgainWhenItIsGone(t *testing.T) {
	for name, lose := range map[string]func(*harness, *corev1.Pod){
		"deleted": func(h *harness, pod *corev1.Pod) {
			require.NoError(h, h.live.Delete(h.Context(), pod, client.GracePeriodSeconds(0)))
		},
		"failed": func(h *harness, pod *corev1.Pod) {
			h.setStatus(pod, failedStatus(flamev1alpha1.ComponentSessionManager, h.now))
		},
		"ended with exit code 0": func(h *harness, pod *corev1.Pod) {
			status := failedStatus(flamev1alpha1.ComponentSessionManager, h.now)
			status.Phase, status.ContainerStatuses[0].State.Terminated.ExitCode = corev1.PodSucceeded, 0
			h.setStatus(pod, status)
		},
		"evicted": func(h *harness, pod *corev1.Pod) {
			h.setStatus(pod, corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "too much"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			cluster := h.create(clusters.Minimal)
			h.settle(cluster)
			old := h.sessionManager(cluster)
			lose(h, old)
			h.settle(cluster)
			again := h.sessionManager(cluster)
			assert.NotEqual(t, old.UID, again.UID)
			assert.NotContains(t, again.Annotations, flamev1alpha1.AnnotationFollowsWithdrawn, "connections may have been swallowed")
			assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
		})
	}
}

func TestAnEndingSessionManagerIsWaitedFor(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	pod := h.sessionManager(cluster)
	pod.Finalizers = []string{"example.com/holds"}
	require.NoError(t, h.live.Update(t.Context(), pod))
	require.NoError(t, h.live.Delete(t.Context(), pod, client.GracePeriodSeconds(0)))
	for range 3 {
		_, err := h.step(cluster)
		require.NoError(t, err)
		assert.Equal(t, pod.UID, h.sessionManager(cluster).UID, "never two")
	}
	pod = h.sessionManager(cluster)
	pod.Finalizers = nil
	require.NoError(t, h.live.Update(t.Context(), pod))
	h.settle(cluster)
	assert.NotEqual(t, pod.UID, h.sessionManager(cluster).UID)
}

func TestAnOperatorThatStartsWhileTheSessionManagerGoesKnowsWhetherItHadLeft(t *testing.T) {
	for name, test := range map[string]struct {
		before time.Duration
		want   string
	}{
		"in time":  {before: 10 * time.Second, want: "true"},
		"too late": {before: 0, want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			cluster := h.create(clusters.Minimal)
			h.settle(cluster)
			pod := h.sessionManager(cluster)
			pod.Finalizers = []string{"example.com/holds"}
			pod.Labels[flamev1alpha1.LabelServing] = "false"
			pod.Annotations[flamev1alpha1.AnnotationWithdrawnAt] = time.Now().Add(-test.before).Format(time.RFC3339Nano)
			require.NoError(t, h.live.Update(t.Context(), pod))
			require.NoError(t, h.live.Delete(t.Context(), pod))
			h.restart()
			_, err := h.step(cluster)
			require.NoError(t, err)

			pod = h.sessionManager(cluster)
			pod.Finalizers = nil
			require.NoError(t, h.live.Update(t.Context(), pod))
			h.settle(cluster)
			again := h.sessionManager(cluster)
			require.NotEqual(t, pod.UID, again.UID)
			assert.Equal(t, test.want, again.Annotations[flamev1alpha1.AnnotationFollowsWithdrawn])
		})
	}
}

func TestTheImageOfTheSessionManagerCannotBePulled(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	_, err := h.step(cluster)
	require.NoError(t, err)
	h.setStatus(h.sessionManager(cluster), waitingStatus("ImagePullBackOff"))
	_, err = h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, flamev1alpha1.StateFailed, cluster.Status.State)
	assert.Equal(t, `the session manager cannot pull the image "x"`, cluster.Status.Message)
	assert.Contains(t, h.events(), `Warning ImagePull the session manager cannot pull the image "x"`)
}

// events drains the events that were emitted.
func (h *harness) events() []string {
	var list []string
	for {
		select {
		case event := <-h.recorder.Events:
			list = append(list, event)
		default:
			return list
		}
	}
}

func TestEventsTellOfTransitionsOnly(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	assert.Contains(t, h.events(), "Normal Ready the session manager and 1 executor managers are ready")
	for range 3 {
		_, err := h.step(cluster)
		require.NoError(t, err)
	}
	assert.Empty(t, h.events())
}

func TestAStorageURIStaysInSecrets(t *testing.T) {
	const text = `
metadata: {name: c, namespace: ns}
spec:
  sessionManager:
    image: docker.io/xflops/flame-session-manager:v0.6.0
    storage: {uriSecretRef: {name: where, key: uri}}
  executorManager: {image: docker.io/xflops/flame-executor-manager:v0.6.0}
`
	h := newHarness(t)
	cluster := h.create(text)
	result, err := h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, 30*time.Second, result.RequeueAfter)
	assert.Contains(t, cluster.Status.Message, `the Secret "where", which sessionManager.storage.uriSecretRef names, does not exist`)
	assert.Empty(t, h.pods(""))

	secret := &corev1.Secret{StringData: map[string]string{"other": "x"}}
	secret.Name, secret.Namespace = "where", h.namespace
	require.NoError(t, h.live.Create(t.Context(), secret))
	_, err = h.step(cluster)
	require.NoError(t, err)
	assert.Contains(t, cluster.Status.Message, `has no key "uri"`)

	secret.StringData = map[string]string{"uri": "fs:///var/lib/flame/elsewhere\n"} // As a file ends.
	require.NoError(t, h.live.Update(t.Context(), secret))
	h.settle(cluster)
	assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
	config := h.get(&corev1.ConfigMap{}, "c-config").(*corev1.ConfigMap)
	assert.NotContains(t, config.Data["flame-cluster.yaml"], "elsewhere")
	rendered := h.get(&corev1.Secret{}, "c-config").(*corev1.Secret)
	assert.Regexp(t, `fs:///var/lib/flame/elsewhere["']?\n`, string(rendered.Data["flame-cluster.yaml"]), "without the newline of the file")
	result, err = h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, time.Minute, result.RequeueAfter)

	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Storage.URISecretRef = nil })
	h.settle(cluster)
	err = h.live.Get(t.Context(), client.ObjectKey{Namespace: h.namespace, Name: "c-config"}, rendered)
	assert.NoError(t, client.IgnoreNotFound(err))
	assert.Error(t, err, "the Secret goes with its reason")
}
