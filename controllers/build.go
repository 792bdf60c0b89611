// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
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

// choose builds what the spec asks for or, if the spec cannot run, what the last spec asks
// for that could. The pass that choose returns is the one for what was built. The objects
// are nil if nothing can be built, and then the report says why.
func (p *pass) choose(ctx context.Context, latest observation.Latest, problems []string) (*pass, *desired.Objects, report) {
	wanted, built := p.build(ctx, latest, problems)
	if wanted != nil || built.invalid == nil {
		return p, wanted, built
	}
	last, err := p.lastValid(ctx)
	if last == nil {
		return p, nil, built.join(classify(everything, err))
	}
	tolerant := *p
	tolerant.tolerated = desired.Problems(last, desired.Inputs{})
	if wanted, again := tolerant.build(ctx, latest, problems); again.invalid == nil {
		tolerant.tolerated = desired.Problems(p.cluster, desired.Inputs{})
		return &tolerant, wanted, again
	}
	for _, standIn := range desired.StandIns(last, p.cluster) {
		other := tolerant
		other.cluster, other.standsIn = standIn, true
		if wanted, again := other.build(ctx, latest, nil); again.invalid == nil {
			return &other, wanted, built.join(again)
		}
	}
	return p, nil, built
}

// lastValid returns the cluster with the last spec that could run, and nil if there is
// none. A spec that an older operator found valid, which kept none, is that spec.
func (p *pass) lastValid(ctx context.Context) (*flamev1alpha1.FlameCluster, error) {
	kept, err := p.keptSpecs(ctx)
	if err != nil {
		return nil, err
	}
	if last := desired.LastValid(p.cluster, kept); last != nil {
		return last, nil
	}
	if status.FoundValid(p.cluster) {
		return p.cluster, nil
	}
	return nil, nil
}

func (p *pass) keptSpecs(ctx context.Context) ([]appsv1.ControllerRevision, error) {
	list := &appsv1.ControllerRevisionList{}
	of := client.MatchingLabels(naming.Selector(p.cluster.Name, ""))
	if err := p.r.List(ctx, list, client.InNamespace(p.cluster.Namespace), of); err != nil {
		return nil, fmt.Errorf("list the ControllerRevisions of FlameCluster %q: %w", p.cluster.Name, err)
	}
	return list.Items, nil
}

// keepSpec keeps the spec that is carried out, and removes those kept before.
func (p *pass) keepSpec(ctx context.Context, wanted *desired.Objects) error {
	if err := p.memory.applier.Apply(ctx, p.cluster, wanted.LastValid, &appsv1.ControllerRevision{}); err != nil {
		return err
	}
	if p.memory.kept == *wanted.LastValid.Name {
		return nil
	}
	kept, err := p.keptSpecs(ctx)
	if err != nil {
		return err
	}
	for i := range kept {
		if kept[i].Name != *wanted.LastValid.Name {
			if err := p.memory.applier.Prune(ctx, p.cluster, &kept[i]); err != nil {
				return err
			}
		}
	}
	p.memory.kept = *wanted.LastValid.Name
	return nil
}

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
