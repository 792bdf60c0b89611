// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/autoscale"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/status"
)

// replicas returns how many executor managers are wanted, by this pass's decision or by
// an earlier one.
func (p *pass) replicas(scale *autoscale.Decision) int {
	if scale != nil {
		return scale.Desired
	}
	return status.ReplicasBefore(p.cluster)
}

// decideScale decides how many executor managers are wanted; the decision is nil without
// autoscaling.
func (p *pass) decideScale(f found, latest observation.Latest, wanted *desired.Objects) (*autoscale.Decision, report) {
	if p.cluster.Spec.ExecutorManager.Autoscaling == nil || p.cluster.Spec.Suspend {
		return nil, report{}
	}
	decision := autoscale.Decide(p.autoscaleInput(f, latest, wanted))
	return &decision, after(decision.After)
}

func (p *pass) autoscaleInput(f found, latest observation.Latest, wanted *desired.Objects) autoscale.Input {
	spec, manager := p.cluster.Spec.ExecutorManager.Autoscaling, p.cluster.Spec.SessionManager
	in := autoscale.Input{
		Pods: f.executorManagers.states,
		Flame: autoscale.Flame{
			Policy:  autoscale.Policy(manager.Policy),
			Gang:    wanted.Gang,
			Started: f.sessionManagerOrNone().StartedAt,
			Slot:    observation.Resources{CPU: manager.Slot.CPU.Value(), Memory: manager.Slot.Memory.Value(), GPU: manager.Slot.GPU.Value()},
			Shape:   shape(wanted.ExecutorManager),
		},
		Bounds: autoscale.Bounds{
			Min: int(spec.MinReplicas), Max: int(spec.MaxReplicas),
			Delay:       time.Duration(spec.ScaleDownDelaySeconds) * time.Second,
			MaxStarting: int(ptr.Deref(spec.MaxStarting, 0)),
		},
		Start:    status.ReplicasAtStart(p.cluster),
		Previous: status.AutoscalingMemory(p.cluster.Status.Autoscaling),
		Now:      p.now,
	}
	if p.isRecent(f, latest) {
		in.Observation = latest.Observation
	}
	return in
}

// shape returns an executor manager's resources as Flame sees them, except for memory:
// the CPU limit, rounded up, and the GPUs.
func shape(pod *corev1.Pod) (seen observation.Resources) {
	for _, container := range pod.Spec.Containers {
		if limits := container.Resources.Limits; container.Name == flamev1alpha1.ComponentExecutorManager {
			seen.CPU, seen.GPU = limits.Cpu().Value(), limits.Name(desired.GPUResource, resource.DecimalSI).Value()
		}
	}
	return seen
}
