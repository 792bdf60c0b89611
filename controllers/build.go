// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/flameconf"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/status"
)

// build makes the objects, with what the spec refers to. The objects are nil if they
// cannot be made, and then the report says why.
func (p *pass) build(ctx context.Context, latest observation.Latest, problems []string) (*desired.Objects, report) {
	if len(problems) > 0 {
		return nil, report{invalid: &desired.InvalidSpecError{Problems: problems}}
	}
	in := desired.Inputs{OpenShift: p.r.OpenShift, TasksRun: status.TasksRun(p.cluster, latest), Tolerated: p.tolerated}
	uri, referred := p.storageURI(ctx)
	if referred.failed != nil {
		return nil, referred
	}
	in.StorageURI = uri
	objects, err := desired.Build(p.cluster, in)
	if err != nil {
		return nil, classify(everything, err)
	}
	if referred.missing != nil && uri == "" {
		return nil, referred
	}
	return objects, referred
}

// storageURI returns the storage's URI if it comes from a Secret. While the Secret is
// missing, the URI stands that the session manager's configuration holds.
func (p *pass) storageURI(ctx context.Context) (string, report) {
	reference := p.cluster.Spec.SessionManager.Storage.URISecretRef
	if reference == nil {
		return "", report{}
	}
	uri, missing, err := p.secretValue(ctx, reference)
	if err != nil {
		return "", classify(everything, err)
	}
	if missing == nil {
		return uri, after(secretDelay)
	}
	config := &corev1.Secret{}
	key := client.ObjectKey{Namespace: p.cluster.Namespace, Name: naming.Config(p.cluster.Name)}
	err = p.r.Live.Get(ctx, key, config)
	if client.IgnoreNotFound(err) != nil {
		return "", classify(everything, fmt.Errorf("get Secret %q: %w", key.Name, err))
	}
	if !metav1.IsControlledBy(config, p.cluster) {
		return "", waitFor(missing)
	}
	return flameconf.StorageOf(config.Data[naming.ServerConfigKey]), waitFor(missing)
}

// secretValue reads one key of a Secret, or reports in missing that the Secret or its key
// does not exist.
func (p *pass) secretValue(ctx context.Context, reference *flamev1alpha1.SecretKeyReference) (value string, missing, err error) {
	const field = "sessionManager.storage.uriSecretRef"
	secret := &corev1.Secret{}
	err = p.r.Live.Get(ctx, client.ObjectKey{Namespace: p.cluster.Namespace, Name: reference.Name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return "", fmt.Errorf("the Secret %q, which %s names, does not exist", reference.Name, field), nil
	case err != nil:
		return "", nil, fmt.Errorf("get Secret %q: %w", reference.Name, err)
	}
	// Files end with a newline, and so do the Secrets that are made from them.
	if value = strings.TrimRight(string(secret.Data[reference.Key]), "\r\n"); value == "" {
		return "", fmt.Errorf("the Secret %q, which %s names, has no key %q", reference.Name, field, reference.Key), nil
	}
	return value, nil, nil
}
