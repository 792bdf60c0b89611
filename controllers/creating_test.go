// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/clusters"
)

// happens has a kubelet emit an event about a pod, as kubelets do.
func (h *harness) happens(pod *corev1.Pod, reason, message string) {
	h.Helper()
	require.NoError(h, h.live.Create(h.Context(), &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: pod.Name + ".", Namespace: pod.Namespace},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		Reason:         reason, Message: message, Type: corev1.EventTypeWarning, Count: 3,
		FirstTimestamp: metav1.NewTime(h.now), LastTimestamp: metav1.NewTime(h.now),
	}))
}

// creates has pods get a node and no container.
func (h *harness) creates(pods ...corev1.Pod) {
	h.Helper()
	for i := range pods {
		require.NoError(h, h.live.SubResource("binding").Create(h.Context(), &pods[i], &corev1.Binding{Target: corev1.ObjectReference{Name: "node"}}))
		h.setStatus(&pods[i], corev1.PodStatus{
			Phase:      corev1.PodPending,
			Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(h.now)}},
		})
	}
}

// eventLists returns how often events were listed since the last call.
func (h *harness) eventLists() int {
	h.looks.mu.Lock()
	defer h.looks.mu.Unlock()
	count := 0
	for _, request := range h.looks.list {
		if strings.Contains(request, "/events?") {
			count++
		}
	}
	h.looks.list = nil
	return count
}

func TestAContainerThatIsCreatedForMinutesNamesWhatItWaitsFor(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	h.edit(cluster, replicas(3))
	_, err := h.step(cluster)
	require.NoError(t, err)
	var creating []corev1.Pod
	for _, pod := range h.executors() {
		if pod.Status.StartTime == nil {
			creating = append(creating, pod)
		}
	}
	require.Len(t, creating, 2)
	h.creates(creating...)
	result, err := h.step(cluster)
	require.NoError(t, err)
	assert.Zero(t, h.eventLists(), "its time has not come")
	assert.LessOrEqual(t, result.RequeueAfter, creationPatience)
	assert.NotZero(t, result.RequeueAfter)

	h.now = h.now.Add(2 * time.Minute)
	for i := range creating {
		h.happens(&creating[i], "FailedMount", `MountVolume.SetUp failed for volume "creds" : secret "not-there-yet" not found`)
	}
	h.happens(h.sessionManager(cluster), "FailedMount", "of another pod")
	h.events()
	result, err = h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, 1, h.eventLists(), "one for the component, however many pods wait")
	assert.LessOrEqual(t, result.RequeueAfter, inquiryDelay)
	const want = `1 of 3 executor managers are ready: one cannot start a container: MountVolume.SetUp failed for volume "creds" : secret "not-there-yet" not found`
	assert.Equal(t, want, cluster.Status.Message)
	assert.Equal(t, flamev1alpha1.ReasonConfigError, reason(cluster, flamev1alpha1.ConditionExecutorsReady))
	assert.Contains(t, h.events(), "Warning ConfigError "+want)

	h.now = h.now.Add(inquiryDelay / 2)
	_, err = h.step(cluster)
	require.NoError(t, err)
	assert.Zero(t, h.eventLists(), "half a minute has not passed")
	assert.Equal(t, want, cluster.Status.Message)

	h.settle(cluster)
	assert.Equal(t, "the session manager and 3 executor managers are ready", cluster.Status.Message)
}

func TestNothingWaitsForTheEventsOfAPod(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	_, err := h.step(cluster)
	require.NoError(t, err)
	h.creates(*h.sessionManager(cluster))
	h.now = h.now.Add(2 * time.Minute)
	h.looks.fail = func(request *http.Request) *http.Response {
		if strings.HasSuffix(request.URL.Path, "/events") {
			return refusal(request)
		}
		return nil
	}
	_, err = h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, 1, h.eventLists())
	assert.Equal(t, "the session manager is starting", cluster.Status.Message)
}
