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
	"github.com/xflops/flame-operator/internal/status"
)

// This file tells internal/autoscale what it needs to know, and how many
// executor managers are wanted.

// decidedBefore is how many executor managers are wanted as long as nothing new is
// decided.
func decidedBefore(cluster *flamev1alpha1.FlameCluster) int {
	before := cluster.Status.Autoscaling
	if cluster.Spec.ExecutorManager.Autoscaling == nil || before == nil || cluster.Spec.Suspend {
		return desired.Executors(cluster)
	}
	return int(before.DesiredReplicas)
}

// decideScale says how many executor managers are wanted.
func (p *pass) decideScale() {
	if p.cluster.Spec.ExecutorManager.Autoscaling == nil || p.cluster.Spec.Suspend {
		return
	}
	decision := autoscale.Decide(p.autoscaleInput())
	p.facts.Desired = decision.Desired
	p.facts.Autoscaling = &decision
	p.wait(decision.After)
}

func (p *pass) autoscaleInput() autoscale.Input {
	spec := p.cluster.Spec.ExecutorManager.Autoscaling
	in := autoscale.Input{
		Pods:  p.podsForScale(),
		Flame: p.flameForScale(),
		Bounds: autoscale.Bounds{
			Min: int(spec.MinReplicas), Max: int(spec.MaxReplicas),
			Delay: time.Duration(spec.ScaleDownDelaySeconds) * time.Second,
		},
		Start:    p.startOfScale(),
		Previous: status.AutoscalingMemory(p.cluster.Status.Autoscaling),
		Now:      p.facts.Now,
	}
	if spec.MaxStarting != nil {
		in.Bounds.MaxStarting = int(*spec.MaxStarting)
	}
	if p.isRecent() {
		load := p.loadForScale()
		in.Load = &load
	}
	return in
}

// startOfScale is what a cluster without a decision starts from: a new one with
// its replicas, one that autoscales from now on with what there is.
func (p *pass) startOfScale() int {
	if p.cluster.Status.ObservedGeneration == 0 {
		return desired.Executors(p.cluster)
	}
	return int(p.cluster.Status.ExecutorManager.Replicas)
}

func (p *pass) loadForScale() autoscale.Load {
	var load autoscale.Load
	started := sessionManagerTimes(p.facts.SessionManager).started
	for _, s := range p.facts.Flame.Observation.Sessions {
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
	for _, e := range p.facts.Flame.Observation.Executors {
		executor := autoscale.Executor{Node: e.Node, Request: autoscale.Resources(e.Resreq)}
		if e.Busy() {
			executor.Session = e.Session
		}
		load.Executors = append(load.Executors, executor)
	}
	return load
}

func (p *pass) podsForScale() []autoscale.Pod {
	rooms := map[string]autoscale.Resources{}
	if p.facts.Flame.Known() {
		for _, node := range p.facts.Flame.Observation.Nodes {
			rooms[node.Name] = autoscale.Resources(node.Allocatable)
		}
	}
	var pods []autoscale.Pod
	for _, pod := range p.facts.ExecutorManagers {
		if pod.DeletionTimestamp == nil && !status.Ended(pod) {
			pods = append(pods, autoscale.Pod{Name: pod.Name, Ready: !readySince(pod).IsZero(), Room: rooms[pod.Name]})
		}
	}
	return pods
}

// flameForScale is how Flame sees an executor manager: its CPU limit rounded up,
// its GPUs, and the memory of the host, of which the nodes tell.
func (p *pass) flameForScale() autoscale.Flame {
	slot := p.cluster.Spec.SessionManager.Slot
	flames := autoscale.Flame{
		Policy: autoscale.Policy(p.cluster.Spec.SessionManager.Policy),
		Gang:   p.objects.Gang,
		Slot:   autoscale.Resources{CPU: slot.CPU.Value(), Memory: slot.Memory.Value(), GPU: slot.GPU.Value()},
	}
	for _, container := range p.objects.ExecutorManager.Spec.Containers {
		if container.Name == flamev1alpha1.ComponentExecutorManager {
			flames.Shape = autoscale.Resources{CPU: container.Resources.Limits.Cpu().Value(), GPU: gpus(container)}
		}
	}
	flames.Shape.Memory = hostMemory(p.facts.Flame)
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
