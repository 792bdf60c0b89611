// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/test/apiserver"
	"github.com/xflops/flame-operator/test/clusters"
)

// family is a cluster and all that carries its label, as an administrator sees it,
// who also stands in for the garbage collector.
type family struct {
	*harness
	cluster *flamev1alpha1.FlameCluster
	kinds   []schema.GroupVersionKind
}

// newFamily creates a cluster, for an operator that has no rights but the shipped ones.
func newFamily(t *testing.T) *family {
	t.Helper()
	h := newHarness(t)
	startOperatorAs(t, asOperator(t, h.live, apiserver.Namespace(t, h.live), h.namespace), []string{h.namespace})
	f := &family{harness: h}
	for _, rule := range shippedRights(t) {
		for _, resource := range rule.Resources {
			if !slices.Contains(rule.Verbs, "create") || resource == "events" {
				continue
			}
			kind, err := h.live.RESTMapper().KindFor(schema.GroupVersionResource{Group: rule.APIGroups[0], Resource: resource})
			require.NoError(t, err)
			f.kinds = append(f.kinds, kind)
		}
	}
	t.Cleanup(f.explain)
	require.NoError(t, h.live.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: "storage"}, StringData: map[string]string{"uri": "fs:///var/lib/flame/elsewhere"},
	}))
	f.cluster = h.create(clusters.WithEveryKind)
	return f
}

// members returns the objects of the cluster except executor managers, which are of no
// use to another cluster.
func (f *family) members() []*unstructured.Unstructured {
	f.Helper()
	var found []*unstructured.Unstructured
	for _, kind := range f.kinds {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		require.NoError(f, f.live.List(f.Context(), list, client.InNamespace(f.namespace), client.MatchingLabels{flamev1alpha1.LabelCluster: f.cluster.Name}))
		for i := range list.Items {
			if list.Items[i].GetLabels()[flamev1alpha1.LabelComponent] != flamev1alpha1.ComponentExecutorManager {
				found = append(found, &list.Items[i])
			}
		}
	}
	return found
}

// explain says, after a test that failed, what the operator could not do.
func (f *family) explain() {
	if f.Failed() {
		ctx := context.Background()
		require.NoError(f, f.live.Get(ctx, client.ObjectKeyFromObject(f.cluster), f.cluster))
		f.Logf("conditions: %+v", f.cluster.Status.Conditions)
	}
}

// isWhole waits until there is an object of every kind, and all have the cluster
// for their owner.
func (f *family) isWhole(what string) {
	f.Helper()
	f.eventually(what, func() bool {
		kinds := map[schema.GroupVersionKind]bool{}
		for _, object := range f.members() {
			kinds[object.GroupVersionKind()] = metav1.IsControlledBy(object, f.cluster)
			if !kinds[object.GroupVersionKind()] {
				return false
			}
		}
		return len(kinds) == len(f.kinds)
	})
}

// setWhenDeleted sets what becomes of the claim, and waits until the claim has the owner
// that follows from that.
func (f *family) setWhenDeleted(policy flamev1alpha1.WhenDeleted) {
	f.Helper()
	f.setStorage(string(policy), policy == flamev1alpha1.WhenDeletedDelete, func(s *flamev1alpha1.SessionManagerStorage) { s.WhenDeleted = policy })
}

// setStorage changes the session manager's storage, and waits until its claim has an
// owner, or none.
func (f *family) setStorage(what string, owned bool, change func(*flamev1alpha1.SessionManagerStorage)) {
	f.Helper()
	f.refresh()
	f.edit(f.cluster, func(s *flamev1alpha1.FlameClusterSpec) { change(&s.SessionManager.Storage) })
	f.eventually("the claim has the owner that follows from "+what, func() bool {
		claim := f.get(&corev1.PersistentVolumeClaim{}, naming.SessionManager(f.cluster.Name))
		return metav1.IsControlledBy(claim, f.cluster) == owned
	})
}

func (f *family) refresh() {
	f.Helper()
	require.NoError(f, f.live.Get(f.Context(), client.ObjectKeyFromObject(f.cluster), f.cluster))
}

// orphan deletes the cluster without its objects, as kubectl delete --cascade=orphan
// does: the objects lose their owner before the cluster goes.
func (f *family) orphan() {
	f.Helper()
	require.NoError(f, f.live.Delete(f.Context(), f.cluster, client.PropagationPolicy(metav1.DeletePropagationOrphan)))
	// The operator may give an owner back until it has heard of the deletion.
	f.eventually("nothing has an owner", func() bool {
		orphans := true
		for _, object := range f.members() {
			if metav1.IsControlledBy(object, f.cluster) {
				orphans = false
				object.SetOwnerReferences(nil)
				require.NoError(f, client.IgnoreNotFound(f.live.Update(f.Context(), object)))
			}
		}
		return orphans
	})
	f.refresh()
	f.cluster.Finalizers = nil
	require.NoError(f, f.live.Update(f.Context(), f.cluster))
}

// remove deletes the cluster with all objects that it owns.
func (f *family) remove() {
	f.Helper()
	require.NoError(f, f.live.Delete(f.Context(), f.cluster))
	f.eventually("all that it owned is gone", func() bool {
		gone := true
		for _, object := range f.members() {
			if metav1.IsControlledBy(object, f.cluster) {
				gone = false
				require.NoError(f, client.IgnoreNotFound(f.live.Delete(f.Context(), object, client.GracePeriodSeconds(0))))
			}
		}
		return gone
	})
}

// Objects with an owner get another one, and lose it, although the operator has only the
// shipped rights and this API server asks for more rights than others do.
func TestOwnersChangeWithTheRightsThatAreShipped(t *testing.T) {
	f := newFamily(t)
	f.isWhole("the cluster owns an object of every kind")

	f.setWhenDeleted(flamev1alpha1.WhenDeletedRetain)
	f.setWhenDeleted(flamev1alpha1.WhenDeletedDelete)
	asked := f.cluster.Spec.SessionManager.Storage.VolumeClaimTemplate
	f.setStorage("no template", false, func(s *flamev1alpha1.SessionManagerStorage) { s.VolumeClaimTemplate = nil })
	f.setStorage("a template", true, func(s *flamev1alpha1.SessionManagerStorage) { s.VolumeClaimTemplate = asked })
	f.setStorage("its being named", false, func(s *flamev1alpha1.SessionManagerStorage) {
		s.VolumeClaimTemplate, s.ExistingClaim = nil, naming.SessionManager(f.cluster.Name)
	})
	f.setStorage("a template again", true, func(s *flamev1alpha1.SessionManagerStorage) {
		s.VolumeClaimTemplate, s.ExistingClaim = asked, ""
	})

	f.orphan()
	f.cluster = f.create(clusters.WithEveryKind)
	f.isWhole("a new cluster takes what was orphaned")

	f.setWhenDeleted(flamev1alpha1.WhenDeletedRetain)
	kept := f.get(&corev1.PersistentVolumeClaim{}, naming.SessionManager(f.cluster.Name)).GetUID()
	f.remove()
	f.cluster = f.create(clusters.WithEveryKind)
	f.isWhole("a new cluster takes the claim that was kept, and will delete it")
	assert.Equal(t, kept, f.get(&corev1.PersistentVolumeClaim{}, naming.SessionManager(f.cluster.Name)).GetUID())
}
