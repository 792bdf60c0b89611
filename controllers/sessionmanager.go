// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/sessionmanager"
)

// stepSessionManager applies what belongs to the session manager and takes its
// pod one step towards what is wanted.
func (p *pass) stepSessionManager(ctx context.Context) error {
	// A claim that is no longer wanted stays: it holds what users may want back.
	if claim := p.objects.SessionManagerClaim; claim != nil {
		if err := p.Applier.Adopt(ctx, p.cluster, claim, &corev1.PersistentVolumeClaim{}); err != nil {
			return err
		}
	}
	name := naming.SessionManager(p.cluster.Name)
	if err := ensure(ctx, p, p.objects.SessionManagerService, &corev1.Service{}, name); err != nil {
		return err
	}
	step := sessionmanager.Next(sessionManagerFacts(p.facts.SessionManager), p.facts.SessionManagerHash, p.cluster.Spec.Suspend, p.facts.Now)
	if err := p.takeStep(ctx, step); err != nil {
		return err
	}
	p.wait(step.After)
	return nil
}

func (p *pass) takeStep(ctx context.Context, step sessionmanager.Step) error {
	if step.Reason == sessionmanager.Outdated && step.Action != sessionmanager.Keep {
		if err := p.tryNewSessionManager(ctx); err != nil {
			return err
		}
	}
	switch step.Action {
	case sessionmanager.Create:
		return p.createSessionManager(ctx, step.Failures)
	case sessionmanager.Withdraw:
		return p.setServing(ctx, "false", p.facts.Now.UTC().Format(time.RFC3339))
	case sessionmanager.Restore:
		return p.setServing(ctx, "true", "")
	case sessionmanager.Delete:
		return p.deleteSessionManager(ctx)
	case sessionmanager.Recreate:
		if err := p.deleteSessionManager(ctx); err != nil {
			return err
		}
		return p.createSessionManager(ctx, step.Failures)
	case sessionmanager.Keep:
	}
	return nil
}

// tryNewSessionManager asks the API server whether it would take the new pod,
// before the old one goes. One that is refused would leave the cluster with none.
func (p *pass) tryNewSessionManager(ctx context.Context) error {
	pod := p.objects.SessionManager.DeepCopy()
	pod.Name += "-trial"
	if err := p.Create(ctx, pod, client.DryRunAll); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("try to create Pod %q anew: %w", p.objects.SessionManager.Name, err)
	}
	return nil
}

func (p *pass) createSessionManager(ctx context.Context, failed int) error {
	pod := p.objects.SessionManager.DeepCopy()
	setFailures(pod, failed)
	if err := p.Create(ctx, pod); err != nil {
		if apierrors.IsAlreadyExists(err) {
			p.wait(time.Second) // One that goes is not gone yet.
			return nil
		}
		return fmt.Errorf("create Pod %q: %w", pod.Name, err)
	}
	p.facts.SessionManager = pod
	return nil
}

func (p *pass) deleteSessionManager(ctx context.Context) error {
	pod := p.facts.SessionManager
	if err := p.Pods.Delete(ctx, p.fleet(flamev1alpha1.ComponentSessionManager), []*corev1.Pod{pod}); err != nil {
		return err
	}
	gone := pod.DeepCopy()
	gone.DeletionTimestamp = &metav1.Time{Time: p.facts.Now}
	p.facts.SessionManager = gone
	return nil
}

// setServing puts the session manager's pod into its Service or takes it out.
func (p *pass) setServing(ctx context.Context, serving, withdrawnAt string) error {
	before := p.facts.SessionManager
	after := before.DeepCopy()
	after.Labels[flamev1alpha1.LabelServing] = serving
	after.Annotations[flamev1alpha1.AnnotationWithdrawnAt] = withdrawnAt
	if withdrawnAt == "" {
		delete(after.Annotations, flamev1alpha1.AnnotationWithdrawnAt)
	}
	if err := p.Patch(ctx, after, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("label Pod %q: %w", after.Name, err)
	}
	p.facts.SessionManager = after
	return nil
}

// setFailures writes on a pod how many failed in its place before it.
func setFailures(pod *corev1.Pod, count int) {
	if count > 0 {
		pod.Annotations[flamev1alpha1.AnnotationFailures] = strconv.Itoa(count)
	}
}
