// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/nodes"
	"github.com/xflops/flame-operator/internal/podstate"
)

// fenceMargin is how much longer than its grace period a deleted pod's process is
// given to be gone.
const fenceMargin = 30 * time.Second

// stepNodes brings what Flame knows of its nodes in line with the pods, and returns the
// executor managers that are of no more use, by name.
func (p *pass) stepNodes(ctx context.Context, f found, latest observation.Latest) (map[string]nodes.Loss, report) {
	const component = flamev1alpha1.ComponentExecutorManager
	if p.cluster.Spec.Suspend {
		return nil, report{}
	}
	gone, err := p.prove(ctx, f.executorManagers.states, latest)
	if err != nil {
		return nil, classify(component, err)
	}
	sessionManager := f.sessionManagerOrNone()
	plan := nodes.Decide(nodes.Input{
		Latest:         latest,
		Recent:         p.isRecent(f, latest),
		Pods:           f.executorManagers.states,
		Gone:           gone,
		SessionManager: sessionManager,
		StateSince:     desired.StateSince(p.cluster.Spec.SessionManager.Storage, sessionManager),
		Grace:          time.Duration(p.cluster.Spec.ExecutorManager.DrainTimeoutSeconds)*time.Second + fenceMargin,
	}, p.now)
	lost := map[string]nodes.Loss{}
	for _, loss := range plan.Lost {
		lost[loss.Pod] = loss
	}
	done := p.ask(ctx, plan.Actions).join(after(plan.After))
	p.setPollInterval(plan.Urgent)
	err = p.memory.pods.SetGates(ctx, f.executorManagers.objects, flamev1alpha1.GateNodeReady, plan.Gates, p.now)
	return lost, done.join(classify(component, err))
}

// prove asks the API server for pods under the names that Flame knows and no known pod has.
func (p *pass) prove(ctx context.Context, executorManagers []podstate.Pod, latest observation.Latest) ([]nodes.Gone, error) {
	strangers := nodes.Strangers(latest, naming.ExecutorManagerPrefix(p.cluster.Name), executorManagers)
	exist := map[string]podstate.Pod{}
	for _, name := range p.memory.absences.Doubtful(strangers) {
		pod := &corev1.Pod{}
		err := p.r.Live.Get(ctx, client.ObjectKey{Namespace: p.cluster.Namespace, Name: name}, pod)
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return nil, fmt.Errorf("get Pod %q: %w", name, err)
		default:
			exist[name] = podstate.Of(pod, flamev1alpha1.ComponentExecutorManager)
		}
	}
	var gone []nodes.Gone
	gone, p.memory.absences = p.memory.absences.Prove(executorManagers, strangers, exist, p.now)
	return gone, nil
}
