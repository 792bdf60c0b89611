// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/nodes"
	"github.com/xflops/flame-operator/internal/status"
)

// fenceMargin is how much longer than its grace period a deleted pod's process is
// given to be gone.
const fenceMargin = 30 * time.Second

// stepNodes brings what Flame knows of its nodes in line with the pods.
func (p *pass) stepNodes(ctx context.Context) error {
	if p.cluster.Spec.Suspend {
		return nil
	}
	pods := nodeFacts(p.facts.ExecutorManagers)
	gone, err := p.prove(ctx, nodes.Strangers(p.facts.Flame, naming.ExecutorManagerPrefix(p.cluster.Name), pods))
	if err != nil {
		return err
	}
	plan := nodes.Decide(nodes.Input{
		Latest:         p.facts.Flame,
		Recent:         p.isRecent(),
		Pods:           pods,
		Gone:           gone,
		SessionManager: p.sessionManagerForNodes(),
		Grace:          time.Duration(p.cluster.Spec.ExecutorManager.DrainTimeoutSeconds)*time.Second + fenceMargin,
	}, p.facts.Now)
	p.lost = map[string]nodes.Loss{}
	for _, loss := range plan.Lost {
		p.lost[loss.Pod] = loss
	}
	p.ask(ctx, "fence a node", plan.Fence, p.Flame.Fence)
	p.ask(ctx, "fence a node without a connection", plan.FenceSilent, p.Flame.FenceSilent)
	p.ask(ctx, "clear a node", plan.Clear, p.Flame.Clear)
	p.ask(ctx, "challenge a node", plan.Challenge, p.Flame.Challenge)
	p.ask(ctx, "release a node", plan.Release, p.Flame.Release)
	p.ask(ctx, "send a node its executors again", plan.Resync, p.Flame.Resync)
	p.unbind(ctx, plan)
	p.pace(plan.Urgent)
	p.wait(plan.After)
	return p.Pods.SetGates(ctx, p.facts.ExecutorManagers, flamev1alpha1.GateNodeReady, plan.Gates, p.facts.Now)
}

// unbind is in a hurry: the executor managers are halted for it, and to unbind an
// executor later may lose a task.
func (p *pass) unbind(ctx context.Context, plan nodes.Plan) {
	ctx, cancel := context.WithTimeout(ctx, plan.UnbindWithin-p.Now().Sub(p.facts.Now))
	defer cancel()
	p.ask(ctx, "unbind an executor", plan.Unbind, p.Flame.Unbind)
}

// pace has Flame observed closely while something is under way.
func (p *pass) pace(urgent bool) {
	interval := flame.Calm
	if urgent {
		interval = flame.Urgent
	}
	p.Flame.SetInterval(p.name(), interval)
}

// absence is what is remembered of a name that Flame knows and no pod has, or of
// a pod that has ended and will be such a name when it is gone.
type absence struct {
	// since is when the server had no pod of the name first.
	since time.Time
	// ended says that the kubelet has said that its process ended.
	ended bool
	// deletedAt is when the pod was deleted with time to drain.
	deletedAt time.Time
}

// prove asks the server for the pods of names, since a cache may lag and labels
// may be stripped, and remembers since when it has had none. A pod that was seen
// to have ended is proof in itself, and one that was seen to drain may go on with
// it when it is force-deleted.
func (p *pass) prove(ctx context.Context, names []string) ([]nodes.Gone, error) {
	loaded, _ := p.absent.Load(p.cluster.UID)
	before, _ := loaded.(map[string]absence)
	after := map[string]absence{}
	for _, pod := range p.facts.ExecutorManagers {
		if processOf(pod) == nodes.Ended {
			after[pod.Name] = absence{ended: true}
		} else if ptr.Deref(pod.DeletionGracePeriodSeconds, 0) > 0 {
			after[pod.Name] = absence{deletedAt: deletedAt(pod)}
		}
	}
	gone := make([]nodes.Gone, 0, len(names))
	for _, name := range names {
		fact, err := p.proveOne(ctx, name, before[name])
		if err != nil {
			return nil, err
		}
		if fact.Process != nodes.Alive {
			after[name] = absence{since: fact.Since, ended: fact.Process == nodes.Ended, deletedAt: fact.DeletedAt}
		}
		gone = append(gone, fact)
	}
	p.absent.Store(p.cluster.UID, after)
	return gone, nil
}

func (p *pass) proveOne(ctx context.Context, name string, known absence) (nodes.Gone, error) {
	fact := nodes.Gone{Name: name, Process: nodes.Absent, Since: known.since, DeletedAt: known.deletedAt}
	if fact.Since.IsZero() {
		fact.Since = p.facts.Now
	}
	if known.ended {
		fact.Process = nodes.Ended
		return fact, nil
	}
	pod := &corev1.Pod{}
	err := p.Live.Get(ctx, client.ObjectKey{Namespace: p.cluster.Namespace, Name: name}, pod)
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return fact, fmt.Errorf("get Pod %q: %w", name, err)
	default:
		fact.Process = processOf(pod)
	}
	return fact, nil
}

func (p *pass) sessionManagerForNodes() nodes.SessionManager {
	pod := p.facts.SessionManager
	facts := nodes.SessionManager{ReadySince: readySince(pod), StartedAt: sessionManagerTimes(pod).started}
	if pod == nil {
		return facts
	}
	facts.Refused = pod.Annotations[flamev1alpha1.AnnotationFollowsWithdrawn] == "true" || restarted(pod, flamev1alpha1.ComponentSessionManager)
	switch storage := p.cluster.Spec.SessionManager.Storage; {
	// Where a URI leads is not known here; it may be a volume of a podTemplate.
	case storage.VolumeClaimTemplate != nil || storage.ExistingClaim != "" || storage.URISecretRef != nil:
	case storage.Type == flamev1alpha1.StorageNone:
		facts.StateSince = facts.StartedAt
	default:
		facts.StateSince = pod.CreationTimestamp.Time
	}
	return facts
}

func sessionManagerTimes(pod *corev1.Pod) containerTimes {
	if pod == nil {
		return containerTimes{}
	}
	return timesOf(pod, flamev1alpha1.ComponentSessionManager)
}

func nodeFacts(pods []*corev1.Pod) []nodes.Pod {
	facts := make([]nodes.Pod, len(pods))
	for i, pod := range pods {
		linked, since := conditionSince(pod, corev1.ContainersReady)
		gate, gateSince := conditionSince(pod, flamev1alpha1.GateNodeReady)
		facts[i] = nodes.Pod{
			Name:        pod.Name,
			Process:     processOf(pod),
			Terminating: pod.DeletionTimestamp != nil,
			DeletedAt:   deletedAt(pod),
			StartedAt:   timesOf(pod, flamev1alpha1.ComponentExecutorManager).started,
			Restarted:   restarted(pod, flamev1alpha1.ComponentExecutorManager),
			Connected:   hasStarted(pod, flamev1alpha1.ComponentExecutorManager),
			Linked:      linked,
			LinkSince:   since,
			Gate:        gate,
			GateSince:   gateSince,
		}
	}
	return facts
}

// deletedAt is when a pod was deleted: its deletion timestamp is when its grace
// period ends.
func deletedAt(pod *corev1.Pod) time.Time {
	if pod.DeletionTimestamp == nil || pod.DeletionGracePeriodSeconds == nil {
		return time.Time{}
	}
	return pod.DeletionTimestamp.Add(-time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second)
}

// processOf says what is known of the process of a pod that exists.
func processOf(pod *corev1.Pod) nodes.Process {
	if status.Ended(pod) {
		return nodes.Ended
	}
	return nodes.Alive
}

// restarted reports whether a container was started again in its pod.
func restarted(pod *corev1.Pod, container string) bool {
	for _, c := range pod.Status.ContainerStatuses {
		if c.Name == container {
			return c.RestartCount > 0
		}
	}
	return false
}

// conditionSince returns whether a condition of a pod is True, and since when it
// is what it is.
func conditionSince(pod *corev1.Pod, kind corev1.PodConditionType) (bool, time.Time) {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == kind {
			return condition.Status == corev1.ConditionTrue, condition.LastTransitionTime.Time
		}
	}
	return false, time.Time{}
}
