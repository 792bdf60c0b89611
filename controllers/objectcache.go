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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/apply"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/objectcache"
)

// stepObjectCache applies the object cache and has one outdated pod at a time
// made anew.
func (p *pass) stepObjectCache(ctx context.Context) error {
	if err := p.ensureObjectCache(ctx); err != nil || p.facts.ObjectCache == nil {
		return err
	}
	if err := p.tryObjectCache(ctx); err != nil {
		return err
	}
	name := objectcache.Replace(objectCacheFacts(p.facts.ObjectCachePods), p.objects.ObjectCacheHash)
	i := slices.IndexFunc(p.facts.ObjectCachePods, func(pod corev1.Pod) bool { return pod.Name == name })
	if i < 0 {
		return nil
	}
	pod := &p.facts.ObjectCachePods[i]
	err := p.Client.Delete(ctx, pod, client.Preconditions{UID: &pod.UID})
	if err != nil && !apply.Gone(err) {
		return fmt.Errorf("delete Pod %q: %w", name, err)
	}
	return nil
}

// tryObjectCache asks the API server whether it would take the pod that the StatefulSet
// lacks. Its controller waits for longer and longer after a refusal, up to a quarter of an
// hour, and is woken when there is none any more.
func (p *pass) tryObjectCache(ctx context.Context) error {
	set := p.facts.ObjectCache
	if set.Status.ObservedGeneration != set.Generation || set.Status.Replicas >= *set.Spec.Replicas || len(p.facts.ObjectCachePods) >= int(*set.Spec.Replicas) {
		return nil
	}
	p.wait(refusedDelay)
	pod, claims := desired.ObjectCacheTrial(set, p.facts.ObjectCachePods)
	for _, claim := range claims {
		if err := p.try(ctx, claim); err != nil {
			return fmt.Errorf("create PersistentVolumeClaim %q: %w", claim.Name, err)
		}
	}
	if err := p.try(ctx, pod); err != nil {
		return fmt.Errorf("create Pod %q: %w", pod.Name, err)
	}
	return p.wakeObjectCache(ctx, set)
}

// try asks the API server whether it would take an object. One that is there it has taken.
func (p *pass) try(ctx context.Context, object client.Object) error {
	err := p.Create(ctx, object, client.DryRunAll)
	if apierrors.IsAlreadyExists(err) && apply.Refused(err) == nil {
		return nil
	}
	return err
}

// wakeObjectCache has the StatefulSet's controller look at it again, by a change that
// means nothing else.
func (p *pass) wakeObjectCache(ctx context.Context, set *appsv1.StatefulSet) error {
	last, _ := time.Parse(time.RFC3339, set.Annotations[flamev1alpha1.AnnotationWokenAt])
	if p.facts.Now.Sub(last) < refusedDelay || p.facts.Now.Sub(set.CreationTimestamp.Time) < refusedDelay {
		return nil
	}
	return p.Applier.Annotate(ctx, set, flamev1alpha1.AnnotationWokenAt, p.facts.Now.UTC().Format(time.RFC3339))
}
