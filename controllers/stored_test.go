// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/stored"
	"github.com/xflops/flame-operator/test/clusters"
)

// unreadable stores a cluster with a text in place of a quantity, and returns nil if the
// API server refuses the cluster, which is the better answer.
func (h *harness) unreadable(name string, place clusters.Place, text string) *unstructured.Unstructured {
	h.Helper()
	with := func(leaf string) *unstructured.Unstructured {
		object := &unstructured.Unstructured{Object: clusters.Stored(h, clusters.Minimal, place, leaf)}
		object.SetNamespace(h.namespace)
		object.SetName(name)
		return object
	}
	require.NoError(h, h.live.Create(h.Context(), with("1"), client.DryRunAll), "%s: nothing else is wrong with it", place)
	object := with(text)
	err := h.live.Create(h.Context(), object)
	if apierrors.IsInvalid(err) {
		return nil
	}
	require.NoError(h, err, "%s: %q", place, text)
	return object
}

// says returns the message of the condition SpecValid of an object, if it is False.
func (h *harness) says(object *unstructured.Unstructured) string {
	h.Helper()
	fresh := stored.New()
	require.NoError(h, h.live.Get(h.Context(), client.ObjectKeyFromObject(object), fresh))
	conditions, _, _ := unstructured.NestedSlice(fresh.Object, "status", "conditions")
	for _, condition := range conditions {
		fields := condition.(map[string]any)
		if fields["type"] == flamev1alpha1.ConditionSpecValid && fields["status"] == "False" {
			return fields["message"].(string)
		}
	}
	return ""
}

// A text that the schema takes for a quantity and Go does not used to end the watch of
// all FlameClusters, and the next start of the operator.
func TestAClusterThatCannotBeReadIsNoOthersTrouble(t *testing.T) {
	stop := startOperator(t)
	h := newHarness(t)
	h.now = time.Now()
	// The cluster's storage outlives a pod, so that no executor manager counts as
	// forgotten, and nobody plays Flame, without whose word no executor manager goes. So
	// the cluster can only grow.
	good := h.create(withEverything)
	scales := func(to int32) {
		h.edit(good, func(s *flamev1alpha1.FlameClusterSpec) { s.ExecutorManager.Replicas = &to })
		h.eventually(fmt.Sprintf("the good cluster has %d executor managers", to), func() bool {
			require.NoError(h, h.live.Get(t.Context(), client.ObjectKeyFromObject(good), good))
			return good.Status.ExecutorManager.Ready == to && good.Status.ExecutorManager.Replicas == to
		})
	}
	scales(3)

	bad := map[*unstructured.Unstructured]clusters.Place{}
	try := func(place clusters.Place, text string) {
		if object := h.unreadable(fmt.Sprintf("bad-%d", len(bad)), place, text); object != nil {
			bad[object] = place
		}
	}
	for i, place := range clusters.QuantityPlaces(t) {
		text := clusters.Unreadable[i%len(clusters.Unreadable)]
		if strings.HasPrefix(place.String(), "sessionManager.slot.") {
			text = "1e1.5" // The rules of these fields have the API server itself parse the text.
		}
		try(place, text)
	}
	for _, text := range clusters.Unreadable {
		try(clusters.Place{"sessionManager", "resources", "limits", "*"}, text)
	}
	require.Greater(t, len(bad), 60, "the API server refuses nearly all of them")
	scales(4)
	told := func() {
		for object, place := range bad {
			h.eventually(place.String()+" is told", func() bool { return strings.Contains(h.says(object), place.String()+" is ") })
		}
	}
	told()

	stop()
	startOperator(t)
	scales(5)
	told()

	for object, place := range bad {
		require.NoError(t, h.live.Delete(t.Context(), object), place)
	}
	scales(6)
}

func TestAClusterIsLookedAfterWhileItsSpecCannotBeRead(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	before := uids(h.pods(""))

	object := stored.New()
	require.NoError(t, h.live.Get(t.Context(), client.ObjectKeyFromObject(cluster), object))
	place := clusters.Place{"executorManager", "resources", "limits", "*"}
	object.Object["spec"] = place.Put(object.Object["spec"], "1e2147483648")
	require.NoError(t, h.live.Update(t.Context(), object))
	h.stepStored(cluster)
	assert.Contains(t, h.says(object), "executorManager.resources.limits.cpu is ")
	assert.Equal(t, before, uids(h.pods("")), "what runs goes on")

	require.NoError(t, h.live.Get(t.Context(), client.ObjectKeyFromObject(cluster), object))
	object.Object["spec"] = place.Put(object.Object["spec"], "1")
	require.NoError(t, h.live.Update(t.Context(), object))
	h.settle(cluster)
	assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
	assert.Empty(t, h.says(object))
}

func TestAClusterThatCannotBeReadIsDeletedAsAnyOther(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	object := stored.New()
	require.NoError(t, h.live.Get(t.Context(), client.ObjectKeyFromObject(cluster), object))
	object.Object["spec"] = clusters.Place{"executorManager", "resources", "limits", "*"}.Put(object.Object["spec"], "1e2147483648")
	require.NoError(t, h.live.Update(t.Context(), object))
	require.NoError(t, h.live.Delete(t.Context(), object, client.PropagationPolicy("Foreground")))
	executor := h.executors()[0]
	before := h.requests.writes()
	h.stepStored(cluster)
	assert.Equal(t, []string{"DELETE /api/v1/namespaces/" + h.namespace + "/pods/" + executor.Name}, h.requests.list[before:], "its tasks are not waited for")
}

// stepStored reconciles a cluster that the test's typed client could not read.
func (h *harness) stepStored(cluster *flamev1alpha1.FlameCluster) {
	h.Helper()
	_, err := h.reconciler.Reconcile(h.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(cluster)})
	require.NoError(h, err)
}
