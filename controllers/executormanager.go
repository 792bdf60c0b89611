// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/apply"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/executors"
)

// stepExecutorManagers creates and deletes executor manager pods as planned.
func (p *pass) stepExecutorManagers(ctx context.Context) error {
	surge, unavailable, err := desired.Rollout(p.cluster, p.facts.Desired)
	if err != nil {
		return &desired.InvalidSpecError{Problems: []string{err.Error()}}
	}
	plan := executors.Decide(p.executorFacts(), executors.Policy{
		Desired:        p.facts.Desired,
		Suspended:      p.cluster.Spec.Suspend,
		Hash:           p.facts.ExecutorManagerHash,
		MaxSurge:       surge,
		MaxUnavailable: unavailable,
		MaxPerStep:     p.share.each(len(p.facts.ExecutorManagers) == 0),
	}, p.facts.Now)
	if err := p.carryOut(ctx, plan); err != nil {
		return err
	}
	if plan.Waits(executors.Settling) || len(plan.Cordon) > 0 {
		p.pace(true)
	}
	p.wait(plan.After())
	// A pod whose creation is in doubt counts in every pass, and nothing but time
	// tells whether it exists.
	p.wait(p.Pods.Recheck(p.cluster.UID))
	if len(plan.Create) == 0 && len(plan.Delete) == 0 {
		return nil
	}
	p.facts.ExecutorManagers, err = p.Pods.List(ctx, p.fleet(flamev1alpha1.ComponentExecutorManager))
	return err
}

// carryOut deletes what goes in any case, then creates, and deletes what is
// replaced last: if a creation fails, the failed pod stays as evidence.
func (p *pass) carryOut(ctx context.Context, plan executors.Plan) error {
	fleet := p.fleet(flamev1alpha1.ComponentExecutorManager)
	p.ask(ctx, "cordon a node", plan.Cordon, p.Flame.Cordon)
	if err := p.delete(ctx, fleet, plan, false); err != nil {
		return err
	}
	pods := make([]*corev1.Pod, len(plan.Create))
	for i, creation := range plan.Create {
		// All share the template's memory: they are sent, and then overwritten as a whole.
		pod := *p.objects.ExecutorManager
		setFailures(&pod, creation.Failures)
		pods[i] = &pod
	}
	switch err := p.Pods.Create(ctx, fleet, pods); {
	case errors.Is(err, apply.ErrOutdated):
		p.wait(time.Millisecond)
		return nil
	case err != nil:
		return err
	}
	return p.delete(ctx, fleet, plan, true)
}

// delete deletes the pods that a plan names, those that are replaced or the others.
func (p *pass) delete(ctx context.Context, fleet apply.Fleet, plan executors.Plan, replaced bool) error {
	now := map[string]bool{}
	for _, deletion := range plan.Delete {
		if (deletion.Reason == executors.Replaced) == replaced {
			now[deletion.Name] = deletion.Now
		}
	}
	var drain, kill []*corev1.Pod
	for _, pod := range p.facts.ExecutorManagers {
		switch atOnce, goes := now[pod.Name]; {
		case atOnce:
			kill = append(kill, pod)
		case goes:
			drain = append(drain, pod)
		}
	}
	if err := p.Pods.Delete(ctx, fleet, drain); err != nil {
		return err
	}
	if err := p.Pods.DeleteNow(ctx, fleet, kill); err != nil {
		return err
	}
	for _, pod := range slices.Concat(drain, kill) {
		p.announceLoss(pod)
	}
	return nil
}
