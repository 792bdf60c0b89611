// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package controllers is the shell of the operator: it watches FlameClusters and what
// they own, gathers facts, has the pure packages decide, carries their decisions out and
// writes the status. The package builds no object and decides nothing.
package controllers

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/apply"
	"github.com/xflops/flame-operator/internal/pods"
	"github.com/xflops/flame-operator/internal/rollout"
	"github.com/xflops/flame-operator/internal/status"
	"github.com/xflops/flame-operator/internal/stored"
	"github.com/xflops/flame-operator/internal/upgradeable"
)

// FlameClusterReconciler brings Flame clusters to what their specs say.
type FlameClusterReconciler struct {
	// Client reads from caches that hold what the operator owns, and writes.
	client.Client
	// Live reads from the API server what no cache holds, or what a lagging cache may
	// show wrongly.
	Live client.Reader
	// Recorder emits events.
	Recorder events.EventRecorder
	// Now is the clock.
	Now func() time.Time
	// OpenShift is true where security context constraints assign user IDs.
	OpenShift bool
	// Flame speaks with the session managers.
	Flame Flame
	// Upgrades learns when a session manager is being replaced, and may be nil.
	Upgrades *upgradeable.Condition

	// memories holds what is remembered of clusters from pass to pass.
	memories memories
	// passes is the number of passes under way, which share what may be created at once.
	passes atomic.Int32
}

// Every kind whose objects get or lose an owner comes with the right to delete it, used
// or not: where OwnerReferencesPermissionEnforcement is on, as on OpenShift, an API
// server lets nobody without that right change the owners of an object.
//
// +kubebuilder:rbac:groups=flame.xflops.io,resources=flameclusters,verbs=get;list;watch
// +kubebuilder:rbac:groups=flame.xflops.io,resources=flameclusters/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=pods/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=configmaps;persistentvolumeclaims;services;serviceaccounts,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;create;patch;delete
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions;statefulsets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=list;create;patch

// Reconcile takes one cluster one step towards its spec.
func (r *FlameClusterReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	object := stored.New()
	err := r.Get(ctx, req.NamespacedName, object)
	if apierrors.IsNotFound(err) || err == nil && object.GetDeletionTimestamp() != nil {
		r.forget(req.NamespacedName)
		// Garbage collection deletes what the cluster owned, but would wait for its tasks.
		return ctrl.Result{}, errors.Join(r.letGo(ctx, object), r.hurryUp(ctx, req.NamespacedName))
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("get FlameCluster %q: %w", req.Name, err)
	}
	cluster, problems, err := stored.Read(object)
	if err != nil {
		return ctrl.Result{}, err
	}
	pass := &pass{r: r, cluster: cluster, memory: r.memories.of(cluster, r.begin), now: r.Now()}
	r.passes.Add(1)
	defer r.passes.Add(-1)
	facts, report := pass.run(ctx, problems)
	facts, slow := pass.explain(ctx, facts)
	report = report.join(slow)
	if err := errors.Join(report.failed, r.writeStatus(ctx, facts)); err != nil {
		return ctrl.Result{}, err // Which sets the time of the next try.
	}
	return ctrl.Result{RequeueAfter: report.requeueAfter}, nil
}

// begin returns the memory of a cluster that this operator has not seen before.
func (r *FlameClusterReconciler) begin(cluster *flamev1alpha1.FlameCluster) *memory {
	return &memory{
		uid:     cluster.UID,
		applier: apply.New(r.Client, r.Live),
		pods:    pods.New(r.Client, r.Live, r.Now, cluster.Status.ObservedGeneration > 0),

		inquiries: map[string]inquiry{},
		waits:     map[string]wait{},
	}
}

// forget drops what is remembered of a cluster that is gone.
func (r *FlameClusterReconciler) forget(name types.NamespacedName) {
	r.memories.forget(name)
	r.Upgrades.Done(name)
	r.Flame.Forget(name)
}

// writeStatus writes the status if it differs, and then announces its transitions.
// Nothing else writes the status.
func (r *FlameClusterReconciler) writeStatus(ctx context.Context, facts status.Facts) error {
	computed := status.Compute(facts)
	if name := client.ObjectKeyFromObject(facts.Cluster); status.ReplacesSessionManager(computed) {
		r.Upgrades.Replacing(name, rollout.LeftAt(facts.SessionManager))
	} else {
		r.Upgrades.Done(name)
	}
	before := facts.Cluster.DeepCopy()
	if equality.Semantic.DeepEqual(before.Status, computed) {
		return nil
	}
	after := before.DeepCopy()
	after.Status = computed
	if err := r.patchStatus(ctx, before, after); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return nil // Deleted meanwhile.
		}
		if apierrors.IsInvalid(err) {
			r.announceUnwritable(after)
		}
		return fmt.Errorf("write the status of FlameCluster %q: %w", after.Name, err)
	}
	r.announce(after, before.Status)
	return nil
}

// patchStatus asks for an answer with the metadata only, since Go may be unable to read
// the rest.
func (r *FlameClusterReconciler) patchStatus(ctx context.Context, before, after *flamev1alpha1.FlameCluster) error {
	patch, err := client.MergeFrom(before).Data(after)
	if err != nil {
		return err
	}
	return r.Status().Patch(ctx, metadataOf(client.ObjectKeyFromObject(after)), client.RawPatch(types.MergePatchType, patch))
}

// metadataOf names a FlameCluster of which nothing but its metadata is wanted.
func metadataOf(name types.NamespacedName) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
	object.SetGroupVersionKind(flamev1alpha1.GroupVersion.WithKind("FlameCluster"))
	return object
}
