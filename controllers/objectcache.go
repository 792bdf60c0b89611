// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xflops/flame-operator/internal/apply"
	"github.com/xflops/flame-operator/internal/objectcache"
)

// stepObjectCache applies the object cache and has one outdated pod at a time
// made anew.
func (p *pass) stepObjectCache(ctx context.Context) error {
	if err := p.ensureObjectCache(ctx); err != nil || p.facts.ObjectCache == nil {
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
