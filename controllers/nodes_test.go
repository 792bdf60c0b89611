// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
	"github.com/xflops/flame-operator/test/clusters"
)

// ghost adds a node that has no pod, as Flame has it in a state.
func (h *harness) ghost(name string, state observation.NodeState) {
	node := h.flame.node(name)
	node.State = state
	h.flame.ghosts = append(h.flame.ghosts, node)
}

func TestNodeWithoutAPodIsFencedWhenItsProcessIsProvenToBeGone(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)

	h.ghost("c-executor-manager-gone1", observation.Unknown)
	_, err := h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, []string{"fence silent c-executor-manager-gone1"}, h.flame.asked())

	h.flame.ghosts = nil
	h.ghost("c-executor-manager-gone2", observation.Ready)
	_, err = h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, []string{"challenge c-executor-manager-gone2"}, h.flame.asked(), "the process of a force-deleted pod may live")
	h.flame.quiet = time.Minute
	h.flame.ghosts[0].Allocatable = observation.Resources{}
	_, err = h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, []string{"fence silent c-executor-manager-gone2"}, h.flame.asked(), "but it would answer")
}

func TestWhatStarvesASessionIsTakenOffANodeWhosePodEnded(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	pod := h.executors()[0]
	h.ghost(pod.Name, observation.Unknown)
	h.flame.ghosts[0].Allocatable = observation.Resources{}
	h.flame.executors = []observation.Executor{{ID: "1", Node: pod.Name, State: observation.Void}}
	h.setStatus(&pod, failedStatus(flamev1alpha1.ComponentExecutorManager, h.now))
	_, err := h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, []string{"clear " + pod.Name}, h.flame.asked())
}

func TestNodeWhosePodTheCacheDoesNotShowIsNotFenced(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	pod := h.executors()[0]
	h.ghost(pod.Name, observation.Unknown)
	h.cache.lags, h.cache.pods = true, nil
	h.restart()
	_, err := h.step(cluster)
	require.NoError(t, err)
	assert.Empty(t, h.flame.asked())
}

func TestPodThatWasSeenToEndIsProofAfterItIsGone(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	pod := h.executors()[0]
	h.ghost(pod.Name, observation.Ready) // A new session manager remembers the node.
	h.setStatus(&pod, failedStatus(flamev1alpha1.ComponentExecutorManager, h.now))
	_, err := h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, []string{"fence " + pod.Name}, h.flame.asked())
	require.NoError(t, client.IgnoreNotFound(h.live.Delete(t.Context(), &pod, client.GracePeriodSeconds(0))))
	_, err = h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, []string{"fence " + pod.Name}, h.flame.asked())
}

func TestDrainGoesOnWhenItsPodIsForceDeletedAndNoneBeginsThen(t *testing.T) {
	for name, test := range map[string]struct {
		drains bool
		takes  time.Duration
		want   []string
	}{
		"one that drained":                           {drains: true, want: []string{"unbind 1"}},
		"one that drained, but it is halted no more": {drains: true, takes: 3 * time.Second},
		"one that did not":                           {},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			cluster := h.create(clusters.Minimal)
			h.settle(cluster)
			pod := h.executors()[0]
			h.ghost(pod.Name, observation.Ready)
			if test.drains {
				h.bind(&pod)
				require.NoError(t, h.live.Delete(t.Context(), &pod))
				_, err := h.step(cluster)
				require.NoError(t, err)
				require.NoError(t, h.live.Get(t.Context(), client.ObjectKeyFromObject(&pod), &pod))
				h.now = podstate.Of(&pod, "").DeletedAt.Add(10*time.Minute + 2*time.Second) // Later than all before, and shortly before a halt.
			}
			h.flame.sessions = []observation.Session{{ID: "s", Open: true, Pending: 5, Running: 1}}
			h.flame.executors = []observation.Executor{{ID: "1", Node: pod.Name, State: observation.Bound, Session: "s"}}
			require.NoError(t, h.live.Delete(t.Context(), &pod, client.GracePeriodSeconds(0)))
			challenged := []string{"challenge " + pod.Name}
			for range 2 { // The first pass finds the pod absent.
				_, err := h.step(cluster)
				require.NoError(t, err)
				require.Equal(t, challenged, h.flame.asked())
				h.now = h.now.Add(time.Second)
			}
			h.flame.takes = test.takes
			_, err := h.step(cluster)
			require.NoError(t, err)
			assert.Equal(t, append(challenged, test.want...), h.flame.asked())
		})
	}
}

func TestReadinessGatesSayWhatFlameSaysAndStayWhileItIsSilent(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	gate := func() bool {
		pod := h.executors()[0]
		open := podstate.Of(&pod, "").Gate
		return open
	}
	assert.True(t, gate())
	assert.Equal(t, corev1.PodConditionType(flamev1alpha1.GateNodeReady), h.executors()[0].Spec.ReadinessGates[0].ConditionType)

	h.flame.states[h.executors()[0].Name] = observation.Unknown
	h.flame.silent = true
	_, err := h.step(cluster)
	require.NoError(t, err)
	assert.True(t, gate(), "its last word stands")

	h.flame.silent = false
	_, err = h.step(cluster)
	require.NoError(t, err)
	assert.False(t, gate())
}

func TestAnEventSaysWhyAnExecutorManagerThatRunsIsReplaced(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	pod := h.executors()[0].Name
	require.Empty(t, h.givenUp())
	h.flame.states[pod] = observation.NotReady
	_, err := h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, []string{"Warning GivenUp executor manager " + pod + " is of no more use: Flame has given up its node"}, h.givenUp())
	h.settle(cluster)
	assert.Empty(t, h.givenUp(), "said once")
	assert.NotEqual(t, pod, h.executors()[0].Name)
}

// givenUp returns the events since the last call that tell of pods that were given up,
// without the time.
func (h *harness) givenUp() []string {
	var list []string
	for _, event := range h.events() {
		if text, _, found := strings.Cut(event, " (since "); found {
			list = append(list, text)
		}
	}
	return list
}

func TestBusyExecutorManagerDrainsAndIdleOneIsCordoned(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.edit(cluster, replicas(2))
	h.settle(cluster)
	h.now = h.now.Add(time.Minute)
	pods := h.executors()
	h.flame.sessions = []observation.Session{{ID: "s", Open: true, Pending: 5, Running: 1}}
	h.flame.executors = []observation.Executor{{ID: "1", Node: pods[0].Name, State: observation.Bound, Session: "s"}}
	h.edit(cluster, replicas(1))
	_, err := h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, []string{"cordon " + pods[1].Name}, h.flame.asked(), "the idle one")
	assert.Len(t, h.executors(), 2, "which goes when Flame has forgotten it")
	_, err = h.step(cluster)
	require.NoError(t, err)
	require.Len(t, h.executors(), 1)
	assert.Equal(t, pods[0].Name, h.executors()[0].Name, "the busy one works on")
	assert.Equal(t, int32(1), cluster.Status.ExecutorManager.Busy)
	assert.Equal(t, &flamev1alpha1.LoadStatus{SessionsOpen: 1, TasksPending: 5, TasksRunning: 1}, cluster.Status.Load)
}

func TestPodsThatAreYoungAreCordonedOnceAndNoOthersInTheirPlace(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.edit(cluster, replicas(3))
	h.settle(cluster)
	for _, pod := range h.executors() {
		h.setStatus(&pod, gated(runningStatus(flamev1alpha1.ComponentExecutorManager, h.now), h.now))
	}
	h.now = h.now.Add(2 * time.Second)
	before := uids(h.executors())
	h.edit(cluster, replicas(1))
	h.settle(cluster)
	require.Len(t, h.executors(), 1)
	assert.Contains(t, before, h.executors()[0].UID)
}

// gated adds the condition of a readiness gate that has been opened.
func gated(status corev1.PodStatus, at time.Time) corev1.PodStatus {
	status.Conditions = append(status.Conditions, corev1.PodCondition{
		Type: flamev1alpha1.GateNodeReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(at),
	})
	return status
}

func TestAutoscalingFollowsTheLoadAndKeepsItsDecisionWhileFlameIsSilent(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
		s.ExecutorManager.Autoscaling = &flamev1alpha1.AutoscalingSpec{MaxReplicas: 4}
	})
	h.settle(cluster)
	h.flame.sessions = []observation.Session{{ID: "s", Open: true, Pending: 9, BatchSize: 1}}
	h.settle(cluster)
	assert.Len(t, h.executors(), 4)
	assert.Equal(t, int32(4), cluster.Status.Autoscaling.DesiredReplicas)

	h.flame.silent = true
	h.restart()
	h.settle(cluster)
	assert.Len(t, h.executors(), 4)

	h.flame.silent = false
	h.flame.sessions = nil
	h.flame.err = &observation.TooLarge{What: "its list of sessions has 41 MiB, of 32 MiB at most", Cure: "lower sessionManager.maxSessions"}
	h.now = h.now.Add(time.Hour)
	h.settle(cluster)
	assert.Len(t, h.executors(), 4, "what it said last is no reason any more")
	active := meta.FindStatusCondition(cluster.Status.Conditions, flamev1alpha1.ConditionScalingActive)
	assert.Contains(t, active.Message, "its list of sessions has 41 MiB, of 32 MiB at most; lower sessionManager.maxSessions")

	h.flame.err = nil
	h.settle(cluster)
	assert.Empty(t, h.executors())
}

// bind gives a pod a node: without a node, the API server does not wait for a kubelet.
// The API server reads the node from its own cache, which has to show the node first.
func (h *harness) bind(pod *corev1.Pod) {
	h.Helper()
	node := corev1.ObjectReference{Kind: "Node", Name: "n"}
	require.NoError(h, h.live.SubResource("binding").Create(h.Context(), pod, &corev1.Binding{Target: node}))
	h.eventually("the API server's cache shows the node", func() bool {
		shown := &corev1.Pod{}
		cached := &client.GetOptions{Raw: &metav1.GetOptions{ResourceVersion: "0"}}
		require.NoError(h, h.live.Get(h.Context(), client.ObjectKeyFromObject(pod), shown, cached))
		return shown.Spec.NodeName != ""
	})
}
