// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/apply"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/podstate"
	"github.com/xflops/flame-operator/internal/rollout"
	"github.com/xflops/flame-operator/internal/storage"
)

// stepObjectCache applies the object cache, or removes one that is no longer wanted, and
// has one outdated pod at a time made anew. No StatefulSet is made that would mount a claim
// of somebody else, and no pod is replaced while a claim goes with it. The StatefulSet that
// stepObjectCache returns is nil if there is none.
func (p *pass) stepObjectCache(ctx context.Context, f found, wanted *desired.Objects) (*appsv1.StatefulSet, report) {
	if err := f.claims.foreign(flamev1alpha1.ComponentObjectCache); err != nil && f.objectCache == nil {
		return nil, classify(flamev1alpha1.ComponentObjectCache, err)
	}
	pods := f.objectCachePods
	set, err := p.applyObjectCache(ctx, f.objectCache, wanted)
	if err != nil || set == nil {
		return set, classify(flamev1alpha1.ComponentObjectCache, err)
	}
	lacks, err := p.tryObjectCache(ctx, set, pods)
	if err == nil && !storage.Holds(f.claims.wanted, flamev1alpha1.ComponentObjectCache) {
		err = p.replaceObjectCache(ctx, pods, wanted.ObjectCacheHash)
	}
	return set, lacks.join(classify(flamev1alpha1.ComponentObjectCache, err))
}

func (p *pass) applyObjectCache(ctx context.Context, live *appsv1.StatefulSet, wanted *desired.Objects) (*appsv1.StatefulSet, error) {
	name := naming.ObjectCache(p.cluster.Name)
	if err := ensure(ctx, p, wanted.ObjectCacheService, &corev1.Service{}, name); err != nil {
		return nil, err
	}
	config, err := desired.KeepTemplates(wanted.ObjectCache, live)
	if err != nil {
		return nil, err
	}
	set := &appsv1.StatefulSet{}
	if err := ensure(ctx, p, config, set, name); err != nil || config == nil {
		return nil, err
	}
	return set, nil
}

func (p *pass) replaceObjectCache(ctx context.Context, pods []podstate.Pod, hash string) error {
	name := rollout.ReplaceObjectCache(pods, hash)
	if name == "" {
		return nil
	}
	i := slices.IndexFunc(pods, func(pod podstate.Pod) bool { return pod.Name == name })
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.cluster.Namespace, Name: name}}
	err := p.r.Delete(ctx, pod, client.Preconditions{UID: &pods[i].UID})
	if err != nil && !apply.Gone(err) {
		return fmt.Errorf("delete Pod %q: %w", name, err)
	}
	return nil
}

// tryObjectCache asks the API server whether it would accept the pod that the StatefulSet
// lacks. The StatefulSet's controller waits longer and longer after each refusal, up to a
// quarter of an hour, so tryObjectCache wakes it once nothing is refused any more.
func (p *pass) tryObjectCache(ctx context.Context, set *appsv1.StatefulSet, pods []podstate.Pod) (report, error) {
	pod, claims := desired.ObjectCacheTrial(set, pods)
	if pod == nil {
		return report{}, nil
	}
	lacks := after(refusedDelay)
	for _, claim := range claims {
		if err := p.try(ctx, claim); err != nil {
			return lacks, fmt.Errorf("create PersistentVolumeClaim %q: %w", claim.Name, err)
		}
	}
	if err := p.try(ctx, pod); err != nil {
		return lacks, fmt.Errorf("create Pod %q: %w", pod.Name, err)
	}
	return lacks, p.wakeObjectCache(ctx, set)
}

// wakeObjectCache has the StatefulSet's controller look at the StatefulSet again, by a
// change that means nothing else.
func (p *pass) wakeObjectCache(ctx context.Context, set *appsv1.StatefulSet) error {
	last, _ := time.Parse(time.RFC3339, set.Annotations[flamev1alpha1.AnnotationWokenAt])
	if p.now.Sub(last) < refusedDelay || p.now.Sub(set.CreationTimestamp.Time) < refusedDelay {
		return nil
	}
	return p.memory.applier.Annotate(ctx, set, flamev1alpha1.AnnotationWokenAt, p.now.UTC().Format(time.RFC3339))
}

// keepOrDropClaims tells the StatefulSet what becomes of the claims of the object cache
// when the cluster goes, whatever else is wrong with the spec.
func (p *pass) keepOrDropClaims(ctx context.Context, set *appsv1.StatefulSet) error {
	cache := p.cluster.Spec.ObjectCache
	if cache == nil || set == nil || !metav1.IsControlledBy(set, p.cluster) {
		return nil
	}
	wanted := appsv1.PersistentVolumeClaimRetentionPolicyType(cache.Storage.WhenDeleted)
	if policy := set.Spec.PersistentVolumeClaimRetentionPolicy; policy == nil || policy.WhenDeleted == wanted {
		return nil
	}
	policy := map[string]any{"persistentVolumeClaimRetentionPolicy": map[string]any{"whenDeleted": wanted}}
	if err := apply.Patch(ctx, p.r.Client, set, nil, policy); err != nil {
		return fmt.Errorf("say in StatefulSet %q what becomes of its claims: %w", set.Name, err)
	}
	return nil
}

// suspendObjectCache scales an object cache to nothing, whatever else it is to be.
func (p *pass) suspendObjectCache(ctx context.Context, set *appsv1.StatefulSet) error {
	if set == nil || *set.Spec.Replicas == 0 {
		return nil
	}
	if err := apply.Patch(ctx, p.r.Client, set, nil, map[string]any{"replicas": 0}); err != nil {
		return fmt.Errorf("scale StatefulSet %q to 0: %w", set.Name, err)
	}
	return nil
}
