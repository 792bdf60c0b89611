// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

const withEverything = `
metadata: {name: c, namespace: ns}
spec:
  sessionManager:
    image: docker.io/xflops/flame-session-manager:v0.6.0
    storage:
      volumeClaimTemplate: {resources: {requests: {storage: 1Gi}}}
      whenDeleted: Delete
  executorManager: {image: docker.io/xflops/flame-executor-manager:v0.6.0, replicas: 3}
  objectCache:
    image: docker.io/xflops/flame-object-cache:v0.6.0
    storage: {volumeClaimTemplate: {resources: {requests: {storage: 1Gi}}}}
`

// children are the objects of a cluster besides its pods.
func (h *harness) children() map[string]client.Object {
	return map[string]client.Object{
		"ServiceAccount":            h.get(&corev1.ServiceAccount{}, "c-flame"),
		"ConfigMap":                 h.get(&corev1.ConfigMap{}, "c-config"),
		"claim":                     h.get(&corev1.PersistentVolumeClaim{}, "c-session-manager"),
		"session manager's Service": h.get(&corev1.Service{}, "c-session-manager"),
		"cache's Service":           h.get(&corev1.Service{}, "c-object-cache"),
		"StatefulSet":               h.get(&appsv1.StatefulSet{}, "c-object-cache"),
	}
}

func (h *harness) get(object client.Object, name string) client.Object {
	h.Helper()
	require.NoError(h, h.live.Get(h.Context(), client.ObjectKey{Namespace: h.namespace, Name: name}, object), name)
	return object
}

func TestAClusterBecomesItsObjects(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(withEverything)
	h.settle(cluster)

	owned := h.children()
	for _, pod := range h.pods("") {
		owned["Pod "+pod.Name] = &pod
	}
	assert.Len(t, owned, 6+1+3)
	for name, object := range owned {
		owner := metav1.GetControllerOf(object)
		require.NotNil(t, owner, name)
		assert.Equal(t, cluster.UID, owner.UID, name)
		assert.Equal(t, "c", object.GetLabels()[flamev1alpha1.LabelCluster], name)
		assert.Equal(t, "flame-operator", object.GetLabels()[flamev1alpha1.LabelManagedBy], name)
	}
	assert.Equal(t, int32(3), cluster.Status.ExecutorManager.Ready)
	assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
	assert.True(t, meta.IsStatusConditionFalse(cluster.Status.Conditions, flamev1alpha1.ConditionObjectCacheReady),
		"nobody runs the StatefulSet here")
}

func TestARetainedClaimHasNoOwner(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(withEverything)
	h.settle(cluster)
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
		s.SessionManager.Storage.WhenDeleted = flamev1alpha1.WhenDeletedRetain
	})
	h.settle(cluster)
	assert.Empty(t, h.get(&corev1.PersistentVolumeClaim{}, "c-session-manager").GetOwnerReferences())
}

func TestASecondPassWritesNothing(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(withEverything)
	h.settle(cluster)
	h.restart()
	before := h.requests.writes()
	for range 3 {
		h.now = h.now.Add(time.Hour)
		_, err := h.step(cluster)
		require.NoError(t, err)
	}
	assert.Empty(t, h.requests.list[before:], "requests that change something")
}

// Each row changes something that the operator owns on a child.
func TestDriftComesBack(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(withEverything)
	h.settle(cluster)
	one := int32(0)
	for name, test := range map[string]struct {
		child  string
		change func(client.Object)
	}{
		"a Service's port":            {"session manager's Service", func(o client.Object) { o.(*corev1.Service).Spec.Ports = o.(*corev1.Service).Spec.Ports[:1] }},
		"a Service's target":          {"session manager's Service", func(o client.Object) { o.(*corev1.Service).Spec.Ports[1].TargetPort = intstr.FromInt32(1) }},
		"a Service's selector":        {"cache's Service", func(o client.Object) { o.(*corev1.Service).Spec.Selector = map[string]string{"a": "b"} }},
		"the configuration":           {"ConfigMap", func(o client.Object) { o.(*corev1.ConfigMap).Data["flame-cluster.yaml"] = "cluster: {}" }},
		"the configuration's absence": {"ConfigMap", func(o client.Object) { delete(o.(*corev1.ConfigMap).Data, "flame.yaml") }},
		"the token's mounting":        {"ServiceAccount", func(o client.Object) { o.(*corev1.ServiceAccount).AutomountServiceAccountToken = nil }},
		"the cache's replicas":        {"StatefulSet", func(o client.Object) { o.(*appsv1.StatefulSet).Spec.Replicas = &one }},
		"the cache's image":           {"StatefulSet", func(o client.Object) { o.(*appsv1.StatefulSet).Spec.Template.Spec.Containers[0].Image = "other" }},
		"the cache's strategy": {"StatefulSet", func(o client.Object) {
			o.(*appsv1.StatefulSet).Spec.UpdateStrategy.Type = appsv1.RollingUpdateStatefulSetStrategyType
		}},
		"a label":                      {"StatefulSet", func(o client.Object) { delete(o.GetLabels(), flamev1alpha1.LabelPartOf) }},
		"an owner":                     {"ConfigMap", func(o client.Object) { o.SetOwnerReferences(nil) }},
		"the hash of what was applied": {"ConfigMap", func(o client.Object) { o.SetAnnotations(nil) }},
	} {
		t.Run(name, func(t *testing.T) {
			before := h.children()[test.child]
			changed := before.DeepCopyObject().(client.Object)
			test.change(changed)
			require.NoError(t, h.live.Update(t.Context(), changed))
			h.settle(cluster)
			after := h.children()[test.child]
			for _, object := range []client.Object{before, after} {
				object.SetManagedFields(nil)
				object.SetResourceVersion("")
				object.SetGeneration(0)
			}
			assert.Equal(t, before, after)
		})
	}
}

func TestWhatOthersAddStaysAndCausesNoWrites(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(withEverything)
	h.settle(cluster)
	service := h.children()["session manager's Service"].(*corev1.Service)
	service.Labels["team"] = "research"
	service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{Name: "extra", Port: 1, Protocol: corev1.ProtocolTCP})
	require.NoError(t, h.live.Update(t.Context(), service))
	h.writesNothing(cluster)
	assert.Len(t, h.children()["session manager's Service"].(*corev1.Service).Spec.Ports, 3)
}

func TestAnObjectOfOthersIsNotTakenOver(t *testing.T) {
	h := newHarness(t)
	mine := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: "c-config"}, Data: map[string]string{"mine": "yes"}}
	require.NoError(t, h.live.Create(t.Context(), mine))
	cluster := h.create(withEverything)
	result, err := h.step(cluster)
	require.NoError(t, err)
	assert.NotZero(t, result.RequeueAfter)
	assert.Contains(t, cluster.Status.Message, "c-config")
	assert.Equal(t, map[string]string{"mine": "yes"}, h.get(&corev1.ConfigMap{}, "c-config").(*corev1.ConfigMap).Data)

	require.NoError(t, h.live.Delete(t.Context(), mine))
	h.settle(cluster)
	assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
}

// Every request that changes something, and every look past the cache, fails
// once, each in a run of its own.
func TestNothingIsLostWhenACallFails(t *testing.T) {
	for kind, of := range map[string]func(*harness) *requests{
		"change": func(h *harness) *requests { return h.requests },
		"look":   func(h *harness) *requests { return h.looks },
	} {
		h := newHarness(t)
		h.settle(h.create(withEverything))
		total := of(h).writes()
		require.Greater(t, total, 5)
		for failing := 1; failing <= total; failing++ {
			t.Run(fmt.Sprintf("%s %d of %d", kind, failing, total), func(t *testing.T) {
				h := newHarness(t)
				h.survives(of(h), failing)
			})
		}
	}
}

// survives lets one request fail and checks what becomes of a cluster.
func (h *harness) survives(requests *requests, failing int) {
	requests.fail = func(request *http.Request) *http.Response {
		if request.Method == http.MethodGet && !requests.reads || len(requests.list) != failing {
			return nil
		}
		return refusal(request)
	}
	cluster := h.create(withEverything)
	errs := 0
	for range 20 {
		h.runPods()
		if _, err := h.step(cluster); err != nil {
			errs++
		}
		assert.LessOrEqual(h, len(h.executors()), 3)
	}
	// A pod whose creation got no clear answer counts until the server is asked.
	h.eventually("three executor managers run", func() bool {
		h.now = h.now.Add(time.Second)
		h.settle(cluster)
		return len(h.executors()) == 3 && cluster.Status.ExecutorManager.Ready == 3
	})
	assert.Equal(h, 1, errs, "the error is returned, so that the call is repeated")
	assert.Equal(h, flamev1alpha1.StateRunning, cluster.Status.State)
	assert.Len(h, h.children(), 6)
}

func refusal(request *http.Request) *http.Response {
	const text = `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"injected","reason":"InternalError","code":500}`
	return &http.Response{
		StatusCode: http.StatusInternalServerError, Request: request, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewBufferString(text)),
	}
}
