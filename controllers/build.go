// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/status"
)

// build makes the objects, with what the spec refers to. The objects are nil if they
// cannot be made, and then the report says why.
func (p *pass) build(ctx context.Context, latest observation.Latest, problems []string) (*desired.Objects, report) {
	if len(problems) > 0 {
		return nil, report{invalid: &desired.InvalidSpecError{Problems: problems}}
	}
	in := desired.Inputs{OpenShift: p.r.OpenShift, TasksRun: status.TasksRun(p.cluster, latest)}
	var watched report
	if reference := p.cluster.Spec.SessionManager.Storage.URISecretRef; reference != nil {
		uri, missing, err := p.secretValue(ctx, reference)
		switch {
		case err != nil:
			return nil, classify(everything, err)
		case missing != nil:
			return nil, waitFor(missing)
		}
		in.StorageURI, watched = uri, after(secretDelay)
	}
	objects, err := desired.Build(p.cluster, in)
	if err != nil {
		return nil, classify(everything, err)
	}
	if err := p.checkClaim(ctx, objects); err != nil {
		return nil, classify(everything, err)
	}
	return objects, watched
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

// checkClaim compares the session manager's claim, if it exists, with the spec.
func (p *pass) checkClaim(ctx context.Context, wanted *desired.Objects) error {
	if wanted.SessionManagerClaim == nil {
		return nil
	}
	claim := &corev1.PersistentVolumeClaim{}
	key := client.ObjectKey{Namespace: p.cluster.Namespace, Name: naming.SessionManager(p.cluster.Name)}
	if err := p.r.Get(ctx, key, claim); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("get PersistentVolumeClaim %q: %w", key.Name, err)
	}
	return desired.CheckClaim(p.cluster, claim)
}
