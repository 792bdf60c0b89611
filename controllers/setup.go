// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/pods"
	"github.com/xflops/flame-operator/internal/stored"
	"github.com/xflops/flame-operator/internal/upgradeable"
)

// workers is the number of clusters that are reconciled at once, so that one
// that waits for the API server does not hold up the others.
const workers = 8

// SetupWithManager registers the reconciler and says what wakes it.
func (r *FlameClusterReconciler) SetupWithManager(mgr ctrl.Manager, observed <-chan event.GenericEvent) error {
	return ctrl.NewControllerManagedBy(mgr).
		// A cluster wakes us when its spec changes, and its status too, although we
		// write it: a pass that sees the status of a moment ago may find nothing to
		// write, and has to look again when the cache has caught up. It comes as it is
		// stored: one that cannot be read must not end the watch of all.
		For(stored.New()).
		// What a cluster owns wakes us whenever it differs from what we made, and
		// pods when they become ready, fail or go.
		Owns(&corev1.ServiceAccount{}).
		Owns(&corev1.ConfigMap{}).
		Owns(&corev1.Service{}).
		Owns(&appsv1.StatefulSet{}).
		Owns(&policyv1.PodDisruptionBudget{}).
		// What Flame says wakes us when it says something else than before.
		WatchesRawSource(source.Channel(observed, &handler.EnqueueRequestForObject{})).
		// Retained claims have no owner, and pods of a StatefulSet have another one.
		Watches(&corev1.PersistentVolumeClaim{}, handler.EnqueueRequestsFromMapFunc(byClusterLabel)).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(byOwnerOrLabel)).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, RateLimiter: retries()}).
		Complete(r)
}

const (
	// firstRetry and lastRetry are the times until a pass that failed is tried again:
	// the first doubles up to the last. What failed for long may be mended at any time.
	firstRetry = 5 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// retries paces each cluster by itself: many that fail hold up no other.
func retries() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry)
}

func byClusterLabel(_ context.Context, object client.Object) []reconcile.Request {
	name := object.GetLabels()[flamev1alpha1.LabelCluster]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: name}}}
}

// byOwnerOrLabel names the cluster that controls a pod, or whose object cache it
// is of. One handler that does not ask for the resource of a kind each time is
// what thousands of pods need.
func byOwnerOrLabel(ctx context.Context, pod client.Object) []reconcile.Request {
	if pod.GetLabels()[flamev1alpha1.LabelComponent] == flamev1alpha1.ComponentObjectCache {
		return byClusterLabel(ctx, pod)
	}
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil || owner.Kind != "FlameCluster" || !strings.HasPrefix(owner.APIVersion, flamev1alpha1.GroupVersion.Group+"/") {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: pod.GetNamespace(), Name: owner.Name}}}
}

// CacheOptions keeps the caches small: they hold what the operator made and of it
// only what the operator reads, in the given namespaces or, if there are none, in all.
func CacheOptions(namespaces []string) cache.Options {
	ours := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{flamev1alpha1.LabelManagedBy: naming.ManagedBy})}
	trimmed := ours
	trimmed.Transform = trimPod
	// Of other namespaces nothing is asked for: there may be no right to it.
	watched := make(map[string]cache.Config, len(namespaces))
	for _, namespace := range namespaces {
		watched[namespace] = cache.Config{}
	}
	return cache.Options{
		DefaultNamespaces: watched,
		DefaultTransform:  cache.TransformStripManagedFields(),
		// What is watched is said at the start. A typed read of a FlameCluster would
		// otherwise begin a watch that one bad quantity ends for all.
		ReaderFailOnMissingInformer: true,
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:                   trimmed,
			&corev1.ServiceAccount{}:        ours,
			&corev1.ConfigMap{}:             ours,
			&corev1.Service{}:               ours,
			&corev1.PersistentVolumeClaim{}: ours,
			&appsv1.StatefulSet{}:           ours,
			&policyv1.PodDisruptionBudget{}: ours,
		},
	}
}

// ClientOptions has Secrets read one at a time, since the operator may neither list
// nor watch them, and FlameClusters, which come unstructured, from the cache.
func ClientOptions() client.Options {
	return client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}, Unstructured: true}}
}

// trimPod is what the cache makes of a pod.
func trimPod(object any) (any, error) {
	if pod, ok := object.(*corev1.Pod); ok { // Or a tombstone of a deletion that the informer missed.
		pods.Trim(pod)
	}
	return object, nil
}

var _ toolscache.TransformFunc = trimPod

// Setup makes a reconciler and registers it with a manager. The OperatorCondition
// is the one in which OLM looks whether the operator may be replaced, if there is one.
func Setup(mgr ctrl.Manager, operatorCondition types.NamespacedName) error {
	openShift, err := assignsUsers(mgr.GetRESTMapper())
	if err != nil {
		return fmt.Errorf("ask whether security context constraints are served: %w", err)
	}
	if err := pods.IndexByOwner(context.Background(), mgr.GetFieldIndexer()); err != nil {
		return err
	}
	var upgrades *upgradeable.Condition
	if operatorCondition.Name != "" {
		upgrades = upgradeable.New(mgr.GetAPIReader(), mgr.GetClient(), operatorCondition, clock.RealClock{}, mgr.GetLogger().WithName("upgradeable"))
		if err := mgr.Add(upgrades); err != nil {
			return fmt.Errorf("register the upgrade condition: %w", err)
		}
	}
	observers := flame.NewObservers(nil, clock.RealClock{})
	if err := mgr.Add(observers); err != nil {
		return fmt.Errorf("register the observers of Flame: %w", err)
	}
	r := &FlameClusterReconciler{
		Client:    mgr.GetClient(),
		Live:      mgr.GetAPIReader(),
		Recorder:  mgr.GetEventRecorder("flame-operator"),
		Now:       time.Now,
		OpenShift: openShift,
		Flame:     observers,
		Upgrades:  upgrades,
	}
	if err := r.SetupWithManager(mgr, observers.Events()); err != nil {
		return fmt.Errorf("register the FlameCluster controller: %w", err)
	}
	return nil
}

// assignsUsers reports whether this is OpenShift, whose security context
// constraints assign user IDs and refuse pods that bring their own.
func assignsUsers(mapper meta.RESTMapper) (bool, error) {
	_, err := mapper.RESTMapping(schema.GroupKind{Group: "security.openshift.io", Kind: "SecurityContextConstraints"})
	if meta.IsNoMatchError(err) {
		return false, nil
	}
	return err == nil, err
}
