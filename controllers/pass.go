// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/apply"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/nodes"
	"github.com/xflops/flame-operator/internal/sessionmanager"
	"github.com/xflops/flame-operator/internal/status"
)

// How long to wait for what nothing wakes us for.
const (
	// missingReferenceDelay is the time between two looks for a Secret that the spec names.
	missingReferenceDelay = 30 * time.Second
	// secretDelay is the time between two looks at a Secret that is in use:
	// Secrets are never watched.
	secretDelay = time.Minute
	// refusedDelay is the time between two tries of what was refused. A quota, a policy
	// or a webhook that lets it pass wakes nobody.
	refusedDelay = 20 * time.Second
)

// pass is one step of one cluster: facts come in, and next says when to look again.
type pass struct {
	*FlameClusterReconciler
	cluster *flamev1alpha1.FlameCluster
	objects *desired.Objects
	facts   status.Facts
	// lost holds the executor managers that are of no use any more, by name.
	lost map[string]nodes.Loss
	next time.Duration
}

// newPass begins a pass of a cluster with what is wrong with its spec as it is stored.
func newPass(r *FlameClusterReconciler, cluster *flamev1alpha1.FlameCluster, problems []string) *pass {
	p := &pass{FlameClusterReconciler: r, cluster: cluster, facts: status.Facts{Cluster: cluster, Desired: decidedBefore(cluster), Now: r.Now()}}
	if len(problems) > 0 {
		p.facts.Invalid = &desired.InvalidSpecError{Problems: problems}
	}
	return p
}

// run observes, builds and acts. What users have to change or to add ends up in
// the facts; an error is a call that failed.
func (p *pass) run(ctx context.Context) error {
	p.share.enter()
	defer p.share.leave()
	if err := p.observe(ctx); err != nil {
		return p.sort(everything, err)
	}
	if err := p.hear(); err != nil {
		return p.sort(everything, err)
	}
	if p.facts.Invalid != nil {
		return p.tend(ctx)
	}
	if err := p.build(ctx); err != nil {
		return errors.Join(p.sort(everything, err), p.tend(ctx))
	}
	if p.facts.Missing != nil {
		return p.tend(ctx)
	}
	p.facts.SessionManagerHash = templateHash(p.objects.SessionManager)
	p.facts.ExecutorManagerHash = templateHash(p.objects.ExecutorManager)
	p.facts.ObjectCacheHash = p.objects.ObjectCacheHash
	p.decideScale()
	return p.act(ctx)
}

// tend looks after what runs while the spec cannot: a session manager that was
// to be replaced goes on, nodes that are gone are fenced, and pods that are on
// their way out end their tasks.
func (p *pass) tend(ctx context.Context) error {
	if p.facts.Invalid != nil && sessionmanager.IsWithdrawn(sessionManagerFacts(p.facts.SessionManager)) {
		if err := p.setServing(ctx, "true"); err != nil {
			return p.sort(flamev1alpha1.ComponentSessionManager, err)
		}
	}
	return p.sort(flamev1alpha1.ComponentExecutorManager, p.stepNodes(ctx))
}

// observe finds the pods and the object cache as they are.
func (p *pass) observe(ctx context.Context) error {
	var err error
	name := naming.SessionManager(p.cluster.Name)
	if p.facts.SessionManager, err = p.Pods.Pod(ctx, p.fleet(flamev1alpha1.ComponentSessionManager), name); err != nil {
		return err
	}
	if p.facts.ExecutorManagers, err = p.Pods.List(ctx, p.fleet(flamev1alpha1.ComponentExecutorManager)); err != nil {
		return err
	}
	return p.observeObjectCache(ctx)
}

// fleet names the pods of a component that the cluster itself owns.
func (p *pass) fleet(component string) apply.Fleet {
	prefix := naming.SessionManager(p.cluster.Name)
	if component == flamev1alpha1.ComponentExecutorManager {
		prefix = naming.ExecutorManagerPrefix(p.cluster.Name)
	}
	return apply.Fleet{
		Owner:      p.cluster,
		Prefix:     prefix,
		Labels:     desired.Labels(p.cluster, component),
		Reconciled: p.cluster.Status.ObservedGeneration > 0,
	}
}

func (p *pass) observeObjectCache(ctx context.Context) error {
	set := &appsv1.StatefulSet{}
	key := client.ObjectKey{Namespace: p.cluster.Namespace, Name: naming.ObjectCache(p.cluster.Name)}
	if err := p.Client.Get(ctx, key, set); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("get StatefulSet %q: %w", key.Name, err)
	}
	p.facts.ObjectCache = set
	list := &corev1.PodList{}
	selector := client.MatchingLabels(desired.Selector(p.cluster, flamev1alpha1.ComponentObjectCache))
	if err := p.Client.List(ctx, list, client.InNamespace(p.cluster.Namespace), selector); err != nil {
		return fmt.Errorf("list the pods of StatefulSet %q: %w", key.Name, err)
	}
	p.facts.ObjectCachePods = list.Items
	return nil
}

// build makes the objects, with what the spec refers to.
func (p *pass) build(ctx context.Context) error {
	in := desired.Inputs{OpenShift: p.OpenShift, TasksRun: status.TasksRun(p.facts)}
	if reference := p.cluster.Spec.SessionManager.Storage.URISecretRef; reference != nil {
		var err error
		if in.StorageURI, err = p.secretValue(ctx, reference); err != nil || p.facts.Missing != nil {
			return err
		}
	}
	objects, err := desired.Build(p.cluster, in)
	if err != nil {
		return err
	}
	p.objects = objects
	if err := p.checkClaim(ctx); err != nil {
		return err
	}
	if in.StorageURI != "" {
		p.wait(secretDelay)
	}
	return nil
}

// secretValue reads one key of a Secret. One that is not there is waited for.
func (p *pass) secretValue(ctx context.Context, reference *flamev1alpha1.SecretKeyReference) (string, error) {
	const field = "sessionManager.storage.uriSecretRef"
	secret := &corev1.Secret{}
	err := p.Live.Get(ctx, client.ObjectKey{Namespace: p.cluster.Namespace, Name: reference.Name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		p.missing("the Secret %q, which %s names, does not exist", reference.Name, field)
		return "", nil
	case err != nil:
		return "", fmt.Errorf("get Secret %q: %w", reference.Name, err)
	}
	value := string(secret.Data[reference.Key])
	if value == "" {
		p.missing("the Secret %q, which %s names, has no key %q", reference.Name, field, reference.Key)
	}
	return value, nil
}

func (p *pass) missing(format string, args ...any) {
	p.facts.Missing = fmt.Errorf(format, args...)
	p.wait(missingReferenceDelay)
}

// checkClaim compares the session manager's claim, if it exists, with the spec.
func (p *pass) checkClaim(ctx context.Context) error {
	if p.objects.SessionManagerClaim == nil {
		return nil
	}
	claim := &corev1.PersistentVolumeClaim{}
	key := client.ObjectKey{Namespace: p.cluster.Namespace, Name: naming.SessionManager(p.cluster.Name)}
	if err := p.Client.Get(ctx, key, claim); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("get PersistentVolumeClaim %q: %w", key.Name, err)
	}
	return desired.CheckClaim(p.cluster, claim)
}

// everything stands for all components where one is named.
const everything = ""

// sort puts aside what trying again at once does not help: an invalid spec, what is
// refused, and objects that belong to others. A namespace that is going takes the
// cluster with it, so nothing is left to do. What is left is a call that failed. Of
// each it is noted which component it is about.
func (p *pass) sort(component string, err error) error {
	var invalid *desired.InvalidSpecError
	var notOwned *apply.NotOwnedError
	refused := apply.Refused(err)
	switch {
	case err == nil:
	case errors.As(err, &invalid):
		p.facts.Invalid = invalid
	case errors.As(err, &notOwned):
		p.facts.Missing = notOwned
		p.wait(missingReferenceDelay)
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
	case refused != nil:
		p.facts.Obstacles = append(p.facts.Obstacles, status.Obstacle{Component: component, Refused: true, Err: refused})
		p.wait(refusedDelay)
	default:
		p.facts.Obstacles = append(p.facts.Obstacles, status.Obstacle{Component: component, Err: explained(err)})
		return err
	}
	return nil
}

// explained returns what a user is told of a call that failed.
func explained(err error) error {
	if missing := apply.MissingRight(err); missing != nil {
		return missing
	}
	return err
}

// wait asks for another look after d, or earlier.
func (p *pass) wait(d time.Duration) {
	if d > 0 && (p.next == 0 || d < p.next) {
		p.next = d
	}
}

// act carries out what each component needs. Every pod needs the configuration;
// beyond that a component that fails does not hold up another.
func (p *pass) act(ctx context.Context) error {
	if err := p.applyShared(ctx); err != nil {
		return p.sort(everything, err)
	}
	return errors.Join(
		p.stepSessionManager(ctx),
		p.sort(flamev1alpha1.ComponentExecutorManager, p.stepNodes(ctx)),
		p.sort(flamev1alpha1.ComponentExecutorManager, p.stepExecutorManagers(ctx)),
		p.sort(flamev1alpha1.ComponentObjectCache, p.stepObjectCache(ctx)),
	)
}

func templateHash(pod *corev1.Pod) string {
	return pod.Annotations[flamev1alpha1.AnnotationTemplateHash]
}
