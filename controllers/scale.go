// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/autoscale"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
	"github.com/xflops/flame-operator/internal/status"
)

// This file tells internal/autoscale what it needs to know.

// replicas is how many executor managers are wanted: what was decided now, or before.
func (p *pass) replicas(scale *autoscale.Decision) int {
	if scale != nil {
		return scale.Desired
	}
	return status.ReplicasBefore(p.cluster)
}

// decideScale says how many executor managers are wanted; nil without autoscaling.
func (p *pass) decideScale(f found, latest observation.Latest, wanted *desired.Objects) (*autoscale.Decision, report) {
	if p.cluster.Spec.ExecutorManager.Autoscaling == nil || p.cluster.Spec.Suspend {
		return nil, report{}
	}
	decision := autoscale.Decide(p.autoscaleInput(f, latest, wanted))
	return &decision, after(decision.After)
}

func (p *pass) autoscaleInput(f found, latest observation.Latest, wanted *desired.Objects) autoscale.Input {
	spec := p.cluster.Spec.ExecutorManager.Autoscaling
	in := autoscale.Input{
		Pods:  podsForScale(f.executorManagers.states, latest),
		Flame: p.flameForScale(latest, wanted),
		Bounds: autoscale.Bounds{
			Min: int(spec.MinReplicas), Max: int(spec.MaxReplicas),
			Delay: time.Duration(spec.ScaleDownDelaySeconds) * time.Second,
		},
		Start:    status.ReplicasAtStart(p.cluster),
		Previous: status.AutoscalingMemory(p.cluster.Status.Autoscaling),
		Now:      p.now,
	}
	if spec.MaxStarting != nil {
		in.Bounds.MaxStarting = int(*spec.MaxStarting)
	}
	if p.isRecent(f, latest) {
		load := loadForScale(latest, f.sessionManagerStart())
		in.Load = &load
	}
	return in
}

func loadForScale(latest observation.Latest, started time.Time) autoscale.Load {
	var load autoscale.Load
	for _, s := range latest.Observation.Sessions {
		if !s.Open {
			continue
		}
		session := autoscale.Session{
			ID: s.ID, Priority: int64(s.Priority), CreatedAt: s.CreatedAt, Pending: s.Pending, Running: s.Running,
			MinInstances: s.MinInstances, MaxInstances: s.MaxInstances, BatchSize: s.BatchSize, Blocked: s.Blocked(started),
		}
		if s.Resreq != nil {
			session.Request = autoscale.Resources(*s.Resreq)
		}
		load.Sessions = append(load.Sessions, session)
	}
	for _, e := range latest.Observation.Executors {
		executor := autoscale.Executor{Node: e.Node, Request: autoscale.Resources(e.Resreq)}
		if e.Busy() {
			executor.Session = e.Session
		}
		load.Executors = append(load.Executors, executor)
	}
	return load
}

func podsForScale(executorManagers []podstate.Pod, latest observation.Latest) []autoscale.Pod {
	rooms := map[string]autoscale.Resources{}
	if latest.Known() {
		for _, node := range latest.Observation.Nodes {
			rooms[node.Name] = autoscale.Resources(node.Allocatable)
		}
	}
	var pods []autoscale.Pod
	for _, pod := range executorManagers {
		if !pod.Terminating && !pod.Finished() {
			pods = append(pods, autoscale.Pod{Name: pod.Name, Ready: pod.Ready, Room: rooms[pod.Name]})
		}
	}
	return pods
}

// flameForScale is how Flame sees an executor manager: its CPU limit rounded up,
// its GPUs, and the memory of the host, of which the nodes tell.
func (p *pass) flameForScale(latest observation.Latest, wanted *desired.Objects) autoscale.Flame {
	slot := p.cluster.Spec.SessionManager.Slot
	flames := autoscale.Flame{
		Policy: autoscale.Policy(p.cluster.Spec.SessionManager.Policy),
		Gang:   wanted.Gang,
		Slot:   autoscale.Resources{CPU: slot.CPU.Value(), Memory: slot.Memory.Value(), GPU: slot.GPU.Value()},
	}
	for _, container := range wanted.ExecutorManager.Spec.Containers {
		if container.Name == flamev1alpha1.ComponentExecutorManager {
			flames.Shape = autoscale.Resources{CPU: container.Resources.Limits.Cpu().Value(), GPU: gpus(container)}
		}
	}
	flames.Shape.Memory = hostMemory(latest)
	return flames
}

func gpus(container corev1.Container) int64 {
	quantity := container.Resources.Limits[desired.GPUResource]
	return quantity.Value()
}

// hostMemory is the largest memory that a node has told, or 0.
func hostMemory(latest observation.Latest) int64 {
	most := int64(0)
	if latest.Known() {
		for _, node := range latest.Observation.Nodes {
			most = max(most, node.Capacity.Memory)
		}
	}
	return most
}
