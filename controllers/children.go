// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xflops/flame-operator/internal/naming"
)

// applyShared applies what every component needs: the ServiceAccount and the
// configuration.
func (p *pass) applyShared(ctx context.Context) error {
	name := p.cluster.Name
	if err := ensure(ctx, p, p.objects.ServiceAccount, &corev1.ServiceAccount{}, naming.ServiceAccount(name)); err != nil {
		return err
	}
	if err := ensure(ctx, p, p.objects.Config, &corev1.ConfigMap{}, naming.Config(name)); err != nil {
		return err
	}
	return ensure(ctx, p, p.objects.SecretConfig, &corev1.Secret{}, naming.Config(name))
}

// ensureObjectCache applies the object cache, or removes one that is no longer wanted.
func (p *pass) ensureObjectCache(ctx context.Context) error {
	name := naming.ObjectCache(p.cluster.Name)
	if err := ensure(ctx, p, p.objects.ObjectCacheService, &corev1.Service{}, name); err != nil {
		return err
	}
	set := &appsv1.StatefulSet{}
	if err := ensure(ctx, p, p.objects.ObjectCache, set, name); err != nil {
		return err
	}
	if p.facts.ObjectCache = set; p.objects.ObjectCache == nil {
		p.facts.ObjectCache = nil
	}
	return nil
}

// ensure applies config, after which live holds the object as the server has it.
// A nil config removes the object of that name instead.
func ensure[C any, P interface {
	*C
	runtime.ApplyConfiguration
}](ctx context.Context, p *pass, config P, live client.Object, name string) error {
	if config != nil {
		return p.Applier.Apply(ctx, p.cluster, config, live)
	}
	live.SetName(name)
	live.SetNamespace(p.cluster.Namespace)
	return p.Applier.Prune(ctx, p.cluster, live)
}
