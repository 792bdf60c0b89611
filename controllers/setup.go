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

// workers is the number of clusters that are reconciled at once, so that a cluster that
// waits for the API server does not hold up the others.
const workers = 8

// SetupWithManager registers the reconciler and the watches that wake it.
func (r *FlameClusterReconciler) SetupWithManager(mgr ctrl.Manager, observed <-chan event.GenericEvent) error {
	return ctrl.NewControllerManagedBy(mgr).
		// A cluster wakes the operator when its spec changes, and also when its status
		// does, although the operator itself writes it: a pass that sees an outdated
		// status may find nothing to write, and has to look again when the cache has
		// caught up. Clusters are watched in their stored form, because one that cannot
		// be read must not end the watch of all.
		For(stored.New()).
		// The objects that a cluster owns wake the operator whenever they change.
		Owns(&corev1.ServiceAccount{}).
		Owns(&corev1.ConfigMap{}).
		Owns(&corev1.Service{}).
		Owns(&appsv1.StatefulSet{}).
		Owns(&appsv1.ControllerRevision{}).
		Owns(&policyv1.PodDisruptionBudget{}).
		// An observation of Flame wakes the operator when it differs from the one before.
		WatchesRawSource(source.Channel(observed, &handler.EnqueueRequestForObject{})).
		// Retained claims have no owner, and pods of a StatefulSet belong to the StatefulSet.
		Watches(&corev1.PersistentVolumeClaim{}, handler.EnqueueRequestsFromMapFunc(byClusterLabel)).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(byOwnerOrLabel)).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, RateLimiter: retries()}).
		Complete(r)
}

const (
	// firstRetry and lastRetry are the shortest and the longest time until a failed pass
	// is tried again; the time doubles with each failure. The longest is short because
	// the cause of a long failure may be mended at any time.
	firstRetry = 5 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// retries paces each cluster by itself, so that many failing clusters do not hold up any
// other.
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

// byOwnerOrLabel names the cluster that controls a pod, or the cluster of an object cache
// pod. With thousands of pods, the handlers of controller-runtime are too slow, because
// they look up the resource of the owner's kind each time.
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

// CacheOptions keeps the caches small: besides FlameClusters they hold only objects that
// the operator made, and of pods only what the operator reads, in the given namespaces
// or, if there are none, in all.
func CacheOptions(namespaces []string) cache.Options {
	ours := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{flamev1alpha1.LabelManagedBy: naming.ManagedBy})}
	trimmed := ours
	trimmed.Transform = trimPod
	// Other namespaces are not watched, because the operator may have no right to read them.
	watched := make(map[string]cache.Config, len(namespaces))
	for _, namespace := range namespaces {
		watched[namespace] = cache.Config{}
	}
	return cache.Options{
		DefaultNamespaces: watched,
		DefaultTransform:  cache.TransformStripManagedFields(),
		// Only what is registered at the start is watched. Otherwise a typed read of a
		// FlameCluster would begin a watch that one bad quantity ends for all clusters.
		ReaderFailOnMissingInformer: true,
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:                   trimmed,
			&corev1.ServiceAccount{}:        ours,
			&corev1.ConfigMap{}:             ours,
			&corev1.Service{}:               ours,
			&corev1.PersistentVolumeClaim{}: ours,
			&appsv1.StatefulSet{}:           ours,
			&appsv1.ControllerRevision{}:    ours,
			&policyv1.PodDisruptionBudget{}: ours,
		},
	}
}

// ClientOptions has each Secret read from the API server, since the operator may neither
// list nor watch Secrets, and FlameClusters, which are unstructured, read from the cache.
func ClientOptions() client.Options {
	return client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}, Unstructured: true}}
}

// trimPod is the cache's transformation of pods.
func trimPod(object any) (any, error) {
	if pod, ok := object.(*corev1.Pod); ok { // Otherwise a tombstone of a deletion that was missed.
		pods.Trim(pod)
	}
	return object, nil
}

var _ toolscache.TransformFunc = trimPod

// Setup makes a reconciler and registers it with a manager. OLM reads the
// OperatorCondition to learn whether the operator may be replaced; its name is empty if
// there is none.
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
