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
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/nodes"
	"github.com/xflops/flame-operator/internal/pods"
	"github.com/xflops/flame-operator/internal/rollout"
)

// stepExecutorManagers creates and deletes executor manager pods as planned, and returns
// the pods that exist afterwards.
func (p *pass) stepExecutorManagers(ctx context.Context, f found, latest observation.Latest, wanted *desired.Objects, replicas int, lost map[string]nodes.Loss) (observedPods, report) {
	const component = flamev1alpha1.ComponentExecutorManager
	surge, unavailable, err := desired.UpdateLimits(p.cluster, replicas)
	if err != nil {
		return f.executorManagers, classify(component, err)
	}
	executorManagers := rollout.Join(f.executorManagers.states, latest, p.isRecent(f, latest))
	for i := range executorManagers {
		loss := lost[executorManagers[i].Name]
		executorManagers[i].LostSince, executorManagers[i].Useless = loss.Since, loss.Useless
	}
	plan := rollout.Decide(executorManagers, rollout.Policy{
		Desired:        replicas,
		Suspended:      p.cluster.Spec.Suspend,
		Hash:           templateHash(wanted.ExecutorManager),
		MaxSurge:       surge,
		MaxUnavailable: unavailable,
		MaxPerStep:     rollout.Share(int(p.r.passes.Load()), len(executorManagers) == 0),
	}, p.now)
	done, err := p.carryOut(ctx, f.executorManagers.objects, wanted, plan, lost)
	if err != nil {
		return f.executorManagers, done.join(classify(component, err))
	}
	if plan.Waits(rollout.Settling) || len(plan.Cordon) > 0 {
		p.setPollInterval(true)
	}
	// A pod whose creation is in doubt counts in every pass, and nothing but time
	// tells whether it exists.
	done = done.join(after(plan.After()), after(p.memory.pods.Recheck()))
	if len(plan.Create) == 0 && len(plan.Delete) == 0 {
		return f.executorManagers, done
	}
	now, err := p.listExecutorManagers(ctx)
	return now, done.join(classify(component, err))
}

// carryOut deletes the pods that go in any case, then creates pods, and deletes the
// replaced pods last: if a creation fails, the failed pod stays as evidence.
func (p *pass) carryOut(ctx context.Context, objects []*corev1.Pod, wanted *desired.Objects, plan rollout.Plan, lost map[string]nodes.Loss) (report, error) {
	done := p.ask(ctx, plan.Actions())
	if err := p.delete(ctx, objects, plan, lost, false); err != nil {
		return done, err
	}
	created := make([]*corev1.Pod, len(plan.Create))
	for i, failed := range plan.Create {
		// All pods share the template's memory: each pod is sent, and then overwritten as
		// a whole.
		pod := *wanted.ExecutorManager
		setFailures(&pod, failed)
		created[i] = &pod
	}
	switch err := p.memory.pods.Create(ctx, p.fleet(flamev1alpha1.ComponentExecutorManager), created); {
	case errors.Is(err, pods.ErrOutdated):
		return done.join(after(time.Millisecond)), nil
	case err != nil:
		return done, err
	}
	return done, p.delete(ctx, objects, plan, lost, true)
}

// delete deletes pods that a plan names: the replaced pods if replaced is true, and all
// others if it is false.
func (p *pass) delete(ctx context.Context, objects []*corev1.Pod, plan rollout.Plan, lost map[string]nodes.Loss, replaced bool) error {
	now := map[string]bool{}
	for _, deletion := range plan.Delete {
		if (deletion.Reason == rollout.Replaced) == replaced {
			now[deletion.Name] = deletion.Now
		}
	}
	var drain, kill []*corev1.Pod
	for _, pod := range objects {
		switch atOnce, goes := now[pod.Name]; {
		case atOnce:
			kill = append(kill, pod)
		case goes:
			drain = append(drain, pod)
		}
	}
	if err := p.memory.pods.Delete(ctx, drain); err != nil {
		return err
	}
	if err := p.memory.pods.DeleteNow(ctx, kill); err != nil {
		return err
	}
	for _, pod := range slices.Concat(drain, kill) {
		if loss, ok := lost[pod.Name]; ok {
			p.announceLoss(pod, loss)
		}
	}
	return nil
}
