// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/podstate"
	"github.com/xflops/flame-operator/test/clusters"
)

const withClaim = `
metadata: {name: c, namespace: ns}
spec:
  sessionManager:
    image: docker.io/xflops/flame-session-manager:v0.6.0
    storage: {volumeClaimTemplate: {storageClassName: slow, resources: {requests: {storage: 2Gi}}}}
  executorManager: {image: docker.io/xflops/flame-executor-manager:v0.6.0}
`

// claim returns the claim of the session manager.
func (h *harness) claim() *corev1.PersistentVolumeClaim {
	h.Helper()
	return h.get(&corev1.PersistentVolumeClaim{}, "c-session-manager").(*corev1.PersistentVolumeClaim)
}

// loseClaim has the claim go, although a pod may use it.
func (h *harness) loseClaim() {
	h.Helper()
	h.lose(h.claim())
	going := h.claim()
	going.Finalizers = nil
	require.NoError(h, h.live.Update(h.Context(), going))
}

// claimOfOthers makes a claim that nobody marked.
func (h *harness) claimOfOthers(name string) {
	h.Helper()
	h.have(&corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: name},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("2Gi")}},
		},
	})
}

// asksFor has the claim's template ask for a size.
func asksFor(size string) func(*flamev1alpha1.FlameClusterSpec) {
	return func(s *flamev1alpha1.FlameClusterSpec) {
		s.SessionManager.Storage.VolumeClaimTemplate.Resources.Requests[corev1.ResourceStorage] = resource.MustParse(size)
	}
}

// breaks makes a spec that cannot run.
func breaks(s *flamev1alpha1.FlameClusterSpec) {
	s.ExecutorManager.Env = []corev1.EnvVar{{Name: "FLAME_HOME", Value: "/x"}}
}

// A claim is a fact. Whatever it is, it is told, and the session manager is made again.
func TestWhatIsToBeSaidOfAClaimHoldsNothingUp(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(*harness, *flamev1alpha1.FlameCluster)
		status  metav1.ConditionStatus
		reason  string
		says    string
	}{
		"a claim that cannot grow": {
			func(h *harness, cluster *flamev1alpha1.FlameCluster) { h.edit(cluster, asksFor("5Gi")) },
			metav1.ConditionFalse, flamev1alpha1.ReasonCannotGrow, "only dynamically provisioned pvc can be resized",
		},
		"a claim that somebody else has grown": {
			func(h *harness, cluster *flamev1alpha1.FlameCluster) { h.edit(cluster, asksFor("1Gi")) },
			metav1.ConditionTrue, flamev1alpha1.ReasonLarger, "asks for 2Gi, more than the 1Gi",
		},
		"a claim that is asked for another mode": {
			func(h *harness, cluster *flamev1alpha1.FlameCluster) {
				h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
					s.SessionManager.Storage.VolumeClaimTemplate.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}
				})
			}, metav1.ConditionFalse, flamev1alpha1.ReasonCannotChange, "accessModes is [ReadWriteMany]",
		},
		"a claim that is asked for another class": {
			func(h *harness, cluster *flamev1alpha1.FlameCluster) {
				h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
					s.SessionManager.Storage.VolumeClaimTemplate.StorageClassName = ptr.To("fast")
				})
			}, metav1.ConditionFalse, flamev1alpha1.ReasonCannotChange, `storageClassName is "fast", and its class "slow" cannot be changed`,
		},
		"a claim of which the template no longer says the class": {
			func(h *harness, cluster *flamev1alpha1.FlameCluster) {
				h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
					s.SessionManager.Storage.VolumeClaimTemplate.StorageClassName = nil
				})
			}, metav1.ConditionTrue, flamev1alpha1.ReasonBound, "is bound",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			cluster := h.create(withClaim)
			h.settle(cluster)
			c.happens(h, cluster)
			for range 3 {
				_, err := h.step(cluster)
				require.NoError(t, err)
			}
			old := h.sessionManager(cluster)
			require.NoError(t, h.live.Delete(t.Context(), old, client.GracePeriodSeconds(0)))
			for range 6 {
				_, err := h.step(cluster)
				require.NoError(t, err)
				h.runPods()
			}
			_, err := h.step(cluster)
			require.NoError(t, err)
			assert.NotEqual(t, old.UID, h.sessionManager(cluster).UID, "it is made again")
			told := conditionIn(t, cluster, flamev1alpha1.ConditionStorageReady)
			assert.Equal(t, c.status, told.Status)
			assert.Equal(t, c.reason, told.Reason)
			assert.Contains(t, told.Message, c.says)
			assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
			assert.True(t, meta.IsStatusConditionTrue(cluster.Status.Conditions, flamev1alpha1.ConditionSpecValid))
			assert.True(t, meta.IsStatusConditionTrue(cluster.Status.Conditions, flamev1alpha1.ConditionReady))
			assert.Equal(t, flamev1alpha1.ReasonStable, conditionIn(t, cluster, flamev1alpha1.ConditionProgressing).Reason)
		})
	}
}

func TestAClusterWithoutAClaimHasNoWordOfOne(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	assert.Nil(t, meta.FindStatusCondition(cluster.Status.Conditions, flamev1alpha1.ConditionStorageReady))
}

func TestAClaimGrowsWhereItsClassLetsIt(t *testing.T) {
	h := newHarness(t)
	h.have(&storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: h.namespace}, Provisioner: "example.com/p", AllowVolumeExpansion: ptr.To(true)})
	cluster := h.create(withClaim)
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
		s.SessionManager.Storage.VolumeClaimTemplate.StorageClassName = ptr.To(h.namespace)
	})
	h.settle(cluster)
	h.eventually("the class is known", func() bool {
		h.edit(cluster, asksFor("3Gi"))
		_, err := h.step(cluster)
		require.NoError(t, err)
		return h.claim().Spec.Resources.Requests.Storage().String() == "3Gi"
	})
	h.settle(cluster)
	assert.Equal(t, flamev1alpha1.ReasonGrowing, conditionIn(t, cluster, flamev1alpha1.ConditionStorageReady).Reason)
	grown := h.claim()
	grown.Status.Capacity = grown.Spec.Resources.Requests
	require.NoError(t, h.live.Status().Update(t.Context(), grown))
	h.settle(cluster)
	assert.Equal(t, flamev1alpha1.ReasonBound, conditionIn(t, cluster, flamev1alpha1.ConditionStorageReady).Reason)
}

// A claim that waits tells why, in the words of whoever makes volumes, and another size is
// told without a write that the API server would refuse.
func TestAClaimThatWaitsSaysForWhat(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(withClaim)
	_, err := h.step(cluster)
	require.NoError(t, err)
	h.have(&eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: "e"}, EventTime: metav1.NowMicro(),
		ReportingController: "persistentvolume-controller", ReportingInstance: "a", Action: "Provisioning", Type: corev1.EventTypeWarning,
		Reason: "ProvisioningFailed", Note: `storageclass.storage.k8s.io "fast" not found`,
		Regarding: corev1.ObjectReference{Kind: "PersistentVolumeClaim", Namespace: h.namespace, Name: h.claim().Name, UID: h.claim().UID},
	})
	result, err := h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, missingReferenceDelay, result.RequeueAfter, "nobody tells the operator of events")
	told := conditionIn(t, cluster, flamev1alpha1.ConditionStorageReady)
	assert.Equal(t, flamev1alpha1.ReasonUnbound, told.Reason)
	assert.Equal(t, `the claim "c-session-manager" waits for its volume: storageclass.storage.k8s.io "fast" not found`, told.Message)

	h.edit(cluster, asksFor("1Gi"))
	_, err = h.step(cluster)
	require.NoError(t, err)
	assert.Contains(t, conditionIn(t, cluster, flamev1alpha1.ConditionStorageReady).Message, "it asks for 2Gi and cannot be changed before it is bound: delete it")
	h.loseClaim()
	_, err = h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, "1Gi", h.claim().Spec.Resources.Requests.Storage().String(), "it is made again")
}

// A claim that nobody marked is used when the spec names it, and in no other way.
func TestAClaimOfOthersIsNeitherTakenNorChanged(t *testing.T) {
	h := newHarness(t)
	h.claimOfOthers("c-session-manager")
	h.runPods()
	version := h.claim().ResourceVersion
	cluster := h.create(withEverything)
	for range 3 {
		result, err := h.step(cluster)
		require.NoError(t, err)
		assert.NotZero(t, result.RequeueAfter)
	}
	assert.Equal(t, version, h.claim().ResourceVersion)
	assert.Nil(t, h.sessionManager(cluster), "a pod would mount it")
	told := conditionIn(t, cluster, flamev1alpha1.ConditionStorageReady)
	assert.Equal(t, flamev1alpha1.ReasonWaitingForReference, told.Reason)
	assert.Contains(t, told.Message, "name it in sessionManager.storage.existingClaim")

	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
		s.SessionManager.Storage.VolumeClaimTemplate, s.SessionManager.Storage.ExistingClaim = nil, "c-session-manager"
		s.ObjectCache = nil
	})
	h.settle(cluster)
	assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
	assert.Equal(t, flamev1alpha1.ReasonBound, conditionIn(t, cluster, flamev1alpha1.ConditionStorageReady).Reason)
	assert.Equal(t, version, h.claim().ResourceVersion)
}

func TestAnExistingClaimThatIsMissingIsTold(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Storage.ExistingClaim = "nope" })
	h.settle(cluster)
	assert.Equal(t, `the claim "nope" does not exist, and sessionManager.storage.existingClaim names it`,
		conditionIn(t, cluster, flamev1alpha1.ConditionStorageReady).Message)
}

func TestAClaimThatWasRetainedIsTakenByTheNextClusterOfItsName(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(withClaim)
	h.settle(cluster)
	uid := h.claim().UID
	h.lose(cluster)
	for _, pod := range h.pods("") {
		require.NoError(t, h.live.Delete(t.Context(), &pod, client.GracePeriodSeconds(0)))
	}
	next := h.create(withClaim)
	h.edit(next, func(s *flamev1alpha1.FlameClusterSpec) {
		s.SessionManager.Storage.WhenDeleted = flamev1alpha1.WhenDeletedDelete
	})
	_, err := h.step(next)
	require.NoError(t, err)
	assert.Equal(t, uid, h.claim().UID)
	assert.True(t, metav1.IsControlledBy(h.claim(), next))
}

// What the spec says at the moment of a deletion holds, so that the owner comes and goes
// whatever else is wrong.
func TestAClaimIsLetGoWhateverElseIsWrong(t *testing.T) {
	retains := func(s *flamev1alpha1.FlameClusterSpec) {
		s.SessionManager.Storage.WhenDeleted = flamev1alpha1.WhenDeletedRetain
	}
	missesASecret := func(s *flamev1alpha1.FlameClusterSpec) {
		s.SessionManager.Storage.URISecretRef = &flamev1alpha1.SecretKeyReference{Name: "nope", Key: "uri"}
	}
	for name, c := range map[string]struct {
		wrong  func(*harness, *flamev1alpha1.FlameCluster)
		change func(*flamev1alpha1.FlameClusterSpec)
		owned  bool
	}{
		"retained while the spec is invalid": {
			func(h *harness, cluster *flamev1alpha1.FlameCluster) { h.edit(cluster, breaks) }, retains, false,
		},
		"retained while a Secret is missing": {
			func(h *harness, cluster *flamev1alpha1.FlameCluster) { h.edit(cluster, missesASecret) }, retains, false,
		},
		"retained while a quantity cannot be read": {
			func(h *harness, cluster *flamev1alpha1.FlameCluster) {
				patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"executorManager":{"resources":{"limits":{"example.com/a":"1e2147483648"}}}}}`))
				require.NoError(h, h.live.Patch(h.Context(), metadataOf(client.ObjectKeyFromObject(cluster)), patch))
			}, nil, false,
		},
		"retained while the configuration is somebody else's": {
			func(h *harness, _ *flamev1alpha1.FlameCluster) {
				config := h.get(&corev1.ConfigMap{}, "c-config")
				config.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "Thing", Name: "t", UID: "1", Controller: ptr.To(true)}})
				require.NoError(h, h.live.Update(h.Context(), config))
			}, retains, false,
		},
		"named as an existing claim": {
			func(h *harness, cluster *flamev1alpha1.FlameCluster) { h.edit(cluster, breaks) },
			func(s *flamev1alpha1.FlameClusterSpec) {
				s.SessionManager.Storage.VolumeClaimTemplate, s.SessionManager.Storage.ExistingClaim = nil, "c-session-manager"
			}, false,
		},
		"no longer asked for": {
			func(h *harness, cluster *flamev1alpha1.FlameCluster) { h.edit(cluster, breaks) },
			func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Storage.VolumeClaimTemplate = nil }, false,
		},
		"to be deleted while the spec is invalid": {
			func(h *harness, cluster *flamev1alpha1.FlameCluster) {
				h.edit(cluster, retains)
				h.settle(cluster)
				h.edit(cluster, breaks)
			},
			func(s *flamev1alpha1.FlameClusterSpec) {
				s.SessionManager.Storage.WhenDeleted = flamev1alpha1.WhenDeletedDelete
			}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			cluster := h.create(withEverything)
			h.settle(cluster)
			require.True(t, metav1.IsControlledBy(h.claim(), cluster))
			c.wrong(h, cluster)
			pass := func() {
				_, err := h.reconciler.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(cluster)})
				require.NoError(t, err)
			}
			pass()
			if c.change != nil {
				h.edit(cluster, c.change)
			} else {
				patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"sessionManager":{"storage":{"whenDeleted":"Retain"}}}}`))
				require.NoError(t, h.live.Patch(t.Context(), metadataOf(client.ObjectKeyFromObject(cluster)), patch))
			}
			pass()
			assert.Equal(t, c.owned, metav1.IsControlledBy(h.claim(), cluster))
		})
	}
}

// The claims of the object cache are let go by its StatefulSet.
func TestTheCachesClaimsAreKeptWhateverElseIsWrong(t *testing.T) {
	for name, suspended := range map[string]bool{"while it runs": false, "while it is suspended": true} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			cluster := h.create(withEverything)
			h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
				s.ObjectCache.Storage.WhenDeleted, s.Suspend = flamev1alpha1.WhenDeletedDelete, suspended
			})
			h.settle(cluster)
			h.edit(cluster, breaks)
			h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
				s.ObjectCache.Storage.WhenDeleted = flamev1alpha1.WhenDeletedRetain
			})
			_, err := h.step(cluster)
			require.NoError(t, err)
			policy := h.children()["StatefulSet"].(*appsv1.StatefulSet).Spec.PersistentVolumeClaimRetentionPolicy
			assert.Equal(t, appsv1.RetainPersistentVolumeClaimRetentionPolicyType, policy.WhenDeleted)
			assert.Equal(t, appsv1.RetainPersistentVolumeClaimRetentionPolicyType, policy.WhenScaled)
			h.writesNothing(cluster)
		})
	}
}

// cacheClaim makes the claim that the controller of the StatefulSet would make.
func (h *harness) cacheClaim() {
	h.Helper()
	template := h.children()["StatefulSet"].(*appsv1.StatefulSet).Spec.VolumeClaimTemplates[0]
	h.have(&corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: "objects-c-object-cache-0", Labels: template.Labels}, Spec: template.Spec,
	})
}

func TestTheClaimOfACacheThatIsAddedAgainGrows(t *testing.T) {
	h := newHarness(t)
	h.have(&storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: h.namespace}, Provisioner: "example.com/p", AllowVolumeExpansion: ptr.To(true)})
	cluster := h.create(withEverything)
	removed := cluster.Spec.ObjectCache
	for _, size := range []string{"1Gi", "5Gi"} {
		h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.ObjectCache = nil })
		h.settle(cluster)
		removed.Storage.VolumeClaimTemplate.StorageClassName = ptr.To(h.namespace)
		removed.Storage.VolumeClaimTemplate.Resources.Requests[corev1.ResourceStorage] = resource.MustParse(size)
		h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.ObjectCache = removed })
		h.settle(cluster)
		if size == "1Gi" {
			h.cacheClaim()
			h.settle(cluster)
		}
	}
	claim := h.get(&corev1.PersistentVolumeClaim{}, "objects-c-object-cache-0").(*corev1.PersistentVolumeClaim)
	assert.Equal(t, "5Gi", claim.Spec.Resources.Requests.Storage().String())
	told := conditionIn(t, cluster, flamev1alpha1.ConditionStorageReady)
	assert.Equal(t, flamev1alpha1.ReasonGrowing, told.Reason)
	assert.Equal(t, `the claim "objects-c-object-cache-0" grows from 1Gi to 5Gi`, told.Message)
}

// The StatefulSet would mount whatever has the name of a claim.
func TestNoCacheIsMadeThatWouldMountAClaimOfOthers(t *testing.T) {
	h := newHarness(t)
	h.claimOfOthers("objects-c-object-cache-0")
	cluster := h.create(withEverything)
	h.settle(cluster)
	assert.True(t, apierrors.IsNotFound(h.live.Get(t.Context(), client.ObjectKey{Namespace: h.namespace, Name: "c-object-cache"}, &appsv1.StatefulSet{})))
	assert.Contains(t, conditionIn(t, cluster, flamev1alpha1.ConditionStorageReady).Message, `"objects-c-object-cache-0" was not made by the operator`)
	assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State, "the rest is looked after")
}

// What an earlier release has put into a StatefulSet stays, since it cannot be changed; a
// label by which others would delete a claim is taken off the claim itself.
func TestTheStatefulSetOfAnEarlierReleaseKeepsItsTemplates(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(withEverything)
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.ObjectCache = nil })
	h.settle(cluster)
	text, err := os.ReadFile("testdata/object-cache-of-0.1.1.yaml")
	require.NoError(t, err)
	released := &appsv1.StatefulSet{}
	require.NoError(t, yaml.UnmarshalStrict(text, released))
	released.Namespace, released.OwnerReferences[0].UID = h.namespace, cluster.UID
	require.NoError(t, h.live.Create(t.Context(), released))
	require.Equal(t, "c", released.Spec.VolumeClaimTemplates[0].Labels[flamev1alpha1.LabelInstance])
	before, err := json.Marshal(released.Spec.VolumeClaimTemplates)
	require.NoError(t, err)
	for _, size := range []string{"30Gi", "20Gi"} {
		t.Run("asked for "+size, func(t *testing.T) {
			h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.ObjectCache = nil })
			h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { // Before the operator has looked.
				s.ObjectCache = clusters.Parse(t, withEverything).Spec.ObjectCache
				s.ObjectCache.Storage.VolumeClaimTemplate.Resources.Requests[corev1.ResourceStorage] = resource.MustParse(size)
			})
			h.settle(cluster)
			set := h.children()["StatefulSet"].(*appsv1.StatefulSet)
			assert.Equal(t, released.UID, set.UID)
			assert.NotEmpty(t, set.Annotations[flamev1alpha1.AnnotationApplied], "it was applied")
			after, err := json.Marshal(set.Spec.VolumeClaimTemplates)
			require.NoError(t, err)
			assert.Equal(t, string(before), string(after))
			assert.NotEqual(t, flamev1alpha1.ReasonRefused, conditionIn(t, cluster, flamev1alpha1.ConditionProgressing).Reason)
			h.writesNothing(cluster)
		})
	}
	h.cacheClaim()
	h.settle(cluster)
	assert.NotContains(t, h.get(&corev1.PersistentVolumeClaim{}, "objects-c-object-cache-0").GetLabels(), flamev1alpha1.LabelInstance)
}

// A cluster that is deleted in the foreground still says what becomes of its claim.
func TestAClaimIsLetGoByAClusterThatIsBeingDeleted(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(withEverything)
	h.settle(cluster)
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
		s.SessionManager.Storage.WhenDeleted = flamev1alpha1.WhenDeletedRetain
	})
	require.NoError(t, h.live.Delete(t.Context(), cluster, client.PropagationPolicy(metav1.DeletePropagationForeground)))
	_, err := h.step(cluster)
	require.NoError(t, err)
	assert.Empty(t, h.claim().OwnerReferences)
}

// The claim of a session manager that was deleted goes with the pod, and with it all
// sessions, so that the operator does not have the pod go.
func TestASessionManagerWhoseClaimIsBeingDeletedIsNotReplaced(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(withClaim)
	h.settle(cluster)
	old := h.sessionManager(cluster).UID
	h.lose(h.claim()) // Which its finalizer holds up.
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.ScheduleIntervalMilliseconds = 200 })
	h.settle(cluster)
	told := conditionIn(t, cluster, flamev1alpha1.ConditionStorageReady)
	assert.Equal(t, flamev1alpha1.ReasonTerminating, told.Reason)
	assert.Equal(t, old, h.sessionManager(cluster).UID)
	assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)

	// The user has copied what is needed, and deletes the pod.
	require.NoError(t, h.live.Delete(t.Context(), h.sessionManager(cluster), client.GracePeriodSeconds(0)))
	going := h.claim()
	going.Finalizers = nil
	require.NoError(t, h.live.Update(t.Context(), going))
	h.settle(cluster)
	assert.NotEqual(t, going.UID, h.claim().UID, "an empty one is made")
	assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
	assert.Equal(t, flamev1alpha1.ReasonBound, conditionIn(t, cluster, flamev1alpha1.ConditionStorageReady).Reason)
}

// A session manager on another storage knows none of the executors of the one before it,
// which never end by themselves.
func TestExecutorManagersAreReplacedWhenTheStorageIsAnother(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*flamev1alpha1.FlameClusterSpec)
		replace bool
	}{
		"another claim": {func(s *flamev1alpha1.FlameClusterSpec) {
			s.SessionManager.Storage.VolumeClaimTemplate, s.SessionManager.Storage.ExistingClaim = nil, "another"
		}, true},
		"another engine":     {func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Storage.Type = flamev1alpha1.StorageSQLite }, true},
		"the same storage":   {func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.ScheduleIntervalMilliseconds = 200 }, false},
		"what was meanwhile": {nil, false},
	} {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, the operator killed: %t", name, killed), func(t *testing.T) {
				h := newHarness(t)
				cluster := h.create(withClaim)
				h.settle(cluster)
				if c.change == nil { // A change that is taken back before the pod goes.
					asked := cluster.Spec.SessionManager.Storage.Type
					h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Storage.Type = flamev1alpha1.StorageSQLite })
					_, err := h.step(cluster)
					require.NoError(t, err)
					c.change = func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Storage.Type = asked }
				}
				h.edit(cluster, c.change)
				require.NoError(t, h.live.Delete(t.Context(), h.sessionManager(cluster), client.GracePeriodSeconds(0)))
				if killed {
					h.restart()
				}
				h.now = h.now.Add(time.Minute)
				_, err := h.step(cluster)
				require.NoError(t, err)
				pod := podstate.Of(h.sessionManager(cluster), flamev1alpha1.ComponentSessionManager)
				assert.Equal(t, c.replace, pod.Forgets)
				assert.Equal(t, c.replace, !desired.StateSince(cluster.Spec.SessionManager.Storage, pod).IsZero())
				h.settle(cluster)
				assert.Equal(t, pod.Storage, h.get(&corev1.Service{}, "c-session-manager").GetAnnotations()[flamev1alpha1.AnnotationStorage])
			})
		}
	}
}

// The pods that an earlier release has made carry no note of their storage.
func TestThePodOfAnEarlierReleaseIsNotedByItsHash(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(withClaim)
	h.settle(cluster)
	note := h.sessionManager(cluster).Annotations[flamev1alpha1.AnnotationStorage]
	require.NotEmpty(t, note)
	for _, object := range []client.Object{h.sessionManager(cluster), h.get(&corev1.Service{}, "c-session-manager")} {
		annotations := object.GetAnnotations()
		delete(annotations, flamev1alpha1.AnnotationStorage)
		object.SetAnnotations(annotations)
		require.NoError(t, h.live.Update(t.Context(), object))
	}
	h.settle(cluster)
	assert.Equal(t, note, h.get(&corev1.Service{}, "c-session-manager").GetAnnotations()[flamev1alpha1.AnnotationStorage])
}
