// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xflops/flame-operator/internal/apply"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/naming"
)

// applyShared applies what every component needs: the ServiceAccount and the
// configuration.
func (p *pass) applyShared(ctx context.Context, wanted *desired.Objects) error {
	name := p.cluster.Name
	if err := ensure(ctx, p, wanted.ServiceAccount, &corev1.ServiceAccount{}, naming.ServiceAccount(name)); err != nil {
		return err
	}
	if err := ensure(ctx, p, wanted.Config, &corev1.ConfigMap{}, naming.Config(name)); err != nil {
		return err
	}
	return ensure(ctx, p, wanted.SecretConfig, &corev1.Secret{}, naming.Config(name))
}

// ensure applies config, after which live holds the object as the server has it. A nil
// config removes the object called name instead.
func ensure[C any, P interface {
	*C
	runtime.ApplyConfiguration
}](ctx context.Context, p *pass, config P, live client.Object, name string) error {
	if config != nil {
		return p.memory.applier.Apply(ctx, p.cluster, config, live)
	}
	live.SetName(name)
	live.SetNamespace(p.cluster.Namespace)
	return p.memory.applier.Prune(ctx, p.cluster, live)
}

// try asks the API server whether it would accept an object. An object that already
// exists counts as accepted.
func (p *pass) try(ctx context.Context, object client.Object) error {
	err := p.r.Create(ctx, object, client.DryRunAll)
	if apierrors.IsAlreadyExists(err) && apply.Refused(err) == nil {
		return nil
	}
	return err
}
