// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/apply"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/sessionmanager"
)

// stepSessionManager applies what belongs to the session manager and takes its pod one
// step towards what is wanted. A claim that cannot grow, or a budget that is refused,
// keeps no pod from being looked after. A name that is somebody else's does: the pod
// would mount their claim.
func (p *pass) stepSessionManager(ctx context.Context) error {
	var errs []error
	for _, step := range []func(context.Context) error{p.applyClaim, p.applySessionManagerService, p.applyBudget, p.stepSessionManagerPod} {
		errs = append(errs, p.sort(flamev1alpha1.ComponentSessionManager, step(ctx)))
		if p.facts.Missing != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// applyClaim leaves a claim alone that is no longer wanted: it holds what users may want
// back.
func (p *pass) applyClaim(ctx context.Context) error {
	if p.objects.SessionManagerClaim == nil {
		return nil
	}
	return p.Applier.Adopt(ctx, p.cluster, p.objects.SessionManagerClaim, &corev1.PersistentVolumeClaim{})
}

func (p *pass) applySessionManagerService(ctx context.Context) error {
	return ensure(ctx, p, p.objects.SessionManagerService, &corev1.Service{}, naming.SessionManager(p.cluster.Name))
}

func (p *pass) applyBudget(ctx context.Context) error {
	return ensure(ctx, p, p.objects.SessionManagerBudget, &policyv1.PodDisruptionBudget{}, naming.SessionManager(p.cluster.Name))
}

func (p *pass) stepSessionManagerPod(ctx context.Context) error {
	p.noteLeaving()
	step := sessionmanager.Next(sessionManagerFacts(p.facts.SessionManager), p.facts.SessionManagerHash, p.cluster.Spec.Suspend, p.facts.Now)
	if err := p.takeStep(ctx, step); err != nil {
		return err
	}
	p.wait(step.After)
	return nil
}

// noteLeaving remembers whether the session manager has left its Service before it
// goes. An operator that was started meanwhile can tell by when it was deleted,
// which the API server knows to the second.
func (p *pass) noteLeaving() {
	pod := p.facts.SessionManager
	if pod == nil {
		return
	}
	facts, at := sessionManagerFacts(pod), p.facts.Now
	if facts.Terminating {
		if _, known := p.left.Load(p.cluster.UID); known {
			return
		}
		facts.Terminating, at = false, deletedAt(pod).Add(time.Second)
	}
	p.left.Store(p.cluster.UID, sessionmanager.HasLeft(facts, at))
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
		return p.setServing(ctx, "false")
	case sessionmanager.Restore:
		return p.setServing(ctx, "true")
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
	if err := p.try(ctx, pod); err != nil {
		return fmt.Errorf("try to create Pod %q anew: %w", p.objects.SessionManager.Name, err)
	}
	return nil
}

func (p *pass) createSessionManager(ctx context.Context, failed int) error {
	pod := p.objects.SessionManager.DeepCopy()
	setFailures(pod, failed)
	if left, _ := p.left.Load(p.cluster.UID); left == true {
		pod.Annotations[flamev1alpha1.AnnotationFollowsWithdrawn] = "true"
	}
	if err := p.Pods.CreateNamed(ctx, p.fleet(flamev1alpha1.ComponentSessionManager), pod); err != nil {
		return err
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

// setServing puts the session manager's pod into its Service or takes it out,
// and notes when.
func (p *pass) setServing(ctx context.Context, serving string) error {
	return p.Pods.Relabel(ctx, p.facts.SessionManager, apply.Metadata{
		Labels:      map[string]string{flamev1alpha1.LabelServing: serving},
		Annotations: map[string]string{flamev1alpha1.AnnotationWithdrawnAt: p.facts.Now.UTC().Format(time.RFC3339Nano)},
	})
}

// setFailures writes on a pod how many failed in its place before it. Other pods may
// share its annotations.
func setFailures(pod *corev1.Pod, count int) {
	if count > 0 {
		pod.Annotations = maps.Clone(pod.Annotations)
		pod.Annotations[flamev1alpha1.AnnotationFailures] = strconv.Itoa(count)
	}
}
