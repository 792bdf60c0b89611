// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

const withThree = `
metadata: {name: c, namespace: ns}
spec:
  sessionManager:
    image: docker.io/xflops/flame-session-manager:v0.6.0
    storage: {volumeClaimTemplate: {resources: {requests: {storage: 1Gi}}}, whenDeleted: Delete}
  executorManager: {image: docker.io/xflops/flame-executor-manager:v0.6.0, replicas: 3}
`

// invalid is a spec that the schema lets pass and that cannot run.
func invalid(s *flamev1alpha1.FlameClusterSpec) { s.FlameVersion = "9.9.9" }

// loseAllPods has every pod disappear as with its node.
func (h *harness) loseAllPods() {
	h.Helper()
	for _, pod := range h.pods("") {
		require.NoError(h, h.live.Delete(h.Context(), &pod, client.GracePeriodSeconds(0)))
	}
}

// saying returns the status and the reason of a condition, and nothing if it is absent.
func saying(cluster *flamev1alpha1.FlameCluster, kind string) string {
	condition := ptr.Deref(meta.FindStatusCondition(cluster.Status.Conditions, kind), metav1.Condition{})
	return strings.TrimSpace(string(condition.Status) + " " + condition.Reason)
}

func TestAnInvalidEditKeepsTheLastValidSpecAlive(t *testing.T) {
	for name, lookBack := range map[string]func(*harness){
		"by the operator that saw it":     func(*harness) {},
		"by an operator that comes later": (*harness).restart,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			cluster := h.create(withThree)
			h.settle(cluster)
			hash := templateHash(h.sessionManager(cluster))

			h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
				invalid(s)
				s.SessionManager.Image = "docker.io/xflops/flame-session-manager:v9.9.9"
				s.ExecutorManager.Replicas = ptr.To[int32](2)
				s.SessionManager.Storage.WhenDeleted = flamev1alpha1.WhenDeletedRetain
			})
			lookBack(h)
			h.loseAllPods()
			h.settle(cluster)
			assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
			assert.Contains(t, cluster.Status.Message, "9.9.9")
			assert.Equal(t, "False Invalid", saying(cluster, flamev1alpha1.ConditionSpecValid))
			assert.Equal(t, "True Invalid", saying(cluster, flamev1alpha1.ConditionStalled))
			assert.Equal(t, "True Ready", saying(cluster, flamev1alpha1.ConditionReady))
			assert.Equal(t, hash, templateHash(h.sessionManager(cluster)), "as before the edit")
			assert.Len(t, h.executors(), 2, "the number is valid by itself")
			assert.Empty(t, h.get(&corev1.PersistentVolumeClaim{}, "c-session-manager").GetOwnerReferences(), "and so is what becomes of the claim")

			h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.Suspend = true })
			h.settle(cluster)
			assert.Empty(t, h.pods(""))
			assert.Equal(t, flamev1alpha1.StateSuspended, cluster.Status.State)

			h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
				s.Suspend, s.FlameVersion, s.SessionManager.Image = false, "", "docker.io/xflops/flame-session-manager:v0.6.0"
			})
			h.settle(cluster)
			assert.Equal(t, "True Valid", saying(cluster, flamev1alpha1.ConditionSpecValid))
			assert.Empty(t, saying(cluster, flamev1alpha1.ConditionStalled))
			assert.Len(t, h.keptSpecs(), 1, "those before are gone")
			h.writesNothing(cluster)
		})
	}
}

func (h *harness) keptSpecs() []appsv1.ControllerRevision {
	h.Helper()
	list := &appsv1.ControllerRevisionList{}
	require.NoError(h, h.live.List(h.Context(), list, client.InNamespace(h.namespace)))
	return list.Items
}

func TestAnInvalidEditOfTheStorageLeavesTheClaimInUse(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(`
metadata: {name: c, namespace: ns}
spec:
  sessionManager: {image: docker.io/xflops/flame-session-manager:v0.6.0}
  executorManager: {image: docker.io/xflops/flame-executor-manager:v0.6.0}
`)
	h.settle(cluster)
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
		invalid(s)
		s.SessionManager.Storage.VolumeClaimTemplate = &corev1.PersistentVolumeClaimSpec{Resources: corev1.VolumeResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
		}}
	})
	h.loseAllPods()
	h.settle(cluster)
	assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
	assert.Empty(t, saying(cluster, flamev1alpha1.ConditionStorageReady), "what runs has no claim")
	claims := &corev1.PersistentVolumeClaimList{}
	require.NoError(t, h.live.List(t.Context(), claims, client.InNamespace(h.namespace)))
	assert.Empty(t, claims.Items)
	h.writesNothing(cluster)
}

func TestWhatIsWrongWithTheBoundsStopsNoOtherEdit(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(withThree)
	h.settle(cluster)
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
		invalid(s)
		s.ExecutorManager.Replicas = nil
		s.ExecutorManager.Autoscaling = &flamev1alpha1.AutoscalingSpec{MinReplicas: 2, MaxReplicas: 2}
	})
	h.settle(cluster)
	assert.Len(t, h.executors(), 2, "bounds that are valid hold")
}

func TestAClusterThatNeverCouldRunWantsNothingYet(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(withThree)
	h.edit(cluster, invalid)
	h.settle(cluster)
	assert.Equal(t, flamev1alpha1.StateFailed, cluster.Status.State)
	assert.Equal(t, "False Invalid", saying(cluster, flamev1alpha1.ConditionExecutorsReady))
	assert.Empty(t, h.keptSpecs())

	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
		s.FlameVersion = ""
		s.ExecutorManager.Autoscaling = &flamev1alpha1.AutoscalingSpec{MaxReplicas: 5, ScaleDownDelaySeconds: 3600}
	})
	h.settle(cluster)
	assert.Len(t, h.executors(), 3, "a new cluster starts with its replicas")
}

// An older operator keeps no spec, and may have found valid what this one does not.
func TestASpecThatAnOlderOperatorRanGoesOn(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(withThree)
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Slot.Memory = resource.MustParse("300m") })
	before := cluster.DeepCopy()
	for kind, reason := range map[string]string{flamev1alpha1.ConditionSpecValid: flamev1alpha1.ReasonValid, flamev1alpha1.ConditionProgressing: flamev1alpha1.ReasonStable} {
		cluster.Status.Conditions = append(cluster.Status.Conditions, metav1.Condition{
			Type: kind, Status: metav1.ConditionTrue, Reason: reason, ObservedGeneration: cluster.Generation, LastTransitionTime: metav1.Now(),
		})
	}
	cluster.Status.ObservedGeneration = cluster.Generation
	require.NoError(t, h.live.Status().Patch(t.Context(), cluster, client.MergeFrom(before)))

	h.settle(cluster)
	assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
	assert.Equal(t, "True Tolerated", saying(cluster, flamev1alpha1.ConditionSpecValid))

	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.ExecutorManager.Replicas = ptr.To[int32](1) })
	h.restart()
	h.settle(cluster)
	assert.Equal(t, "True Tolerated", saying(cluster, flamev1alpha1.ConditionSpecValid), "another field was edited")
	assert.Len(t, h.executors(), 1)

	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Slot.Memory = resource.MustParse("400m") })
	h.settle(cluster)
	assert.Equal(t, "False Invalid", saying(cluster, flamev1alpha1.ConditionSpecValid), "this field was edited")
	assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
}

func TestPodsAreMadeAgainWhileTheSecretIsMissing(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(withThree)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: "where"}, StringData: map[string]string{"uri": "fs:///var/lib/flame/elsewhere"}}
	require.NoError(t, h.live.Create(t.Context(), secret))
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
		s.SessionManager.Storage = flamev1alpha1.SessionManagerStorage{URISecretRef: &flamev1alpha1.SecretKeyReference{Name: "where", Key: "uri"}}
	})
	h.settle(cluster)
	hash := templateHash(h.sessionManager(cluster))

	require.NoError(t, h.live.Delete(t.Context(), secret))
	h.loseAllPods()
	h.settle(cluster)
	assert.Len(t, h.executors(), 3)
	assert.Equal(t, hash, templateHash(h.sessionManager(cluster)))
	assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
	assert.Equal(t, "True WaitingForReference", saying(cluster, flamev1alpha1.ConditionProgressing))
}

func TestARefusedCopyOfTheSpecHoldsNothingUp(t *testing.T) {
	h := newHarness(t)
	h.quota("count/controllerrevisions.apps", "0")
	cluster := h.create(withThree)
	for range 10 {
		h.runPods()
		_, err := h.step(cluster)
		require.NoError(t, err)
	}
	assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
	assert.Contains(t, cluster.Status.Message, "few")
	assert.Len(t, h.executors(), 3)
}
