// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package podstate is the one reading of a pod: what its metadata, its kubelet and
// the operator's own marks say, as plain values.
//
// Every part of the operator that plans, reports or proves uses these values, so that no
// two parts answer one question differently. Facts that only one part needs, such as what
// Flame says of a pod, are kept in that part.
//
// The one hard idea is that a pod ends in two ways. Ended is the kubelet's word about the
// component's own container, and a proof. Over is the pod's phase, which others write
// too: garbage collection writes it for the pods of a machine that is gone, whose
// processes may still live.
package podstate

import (
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// Pod is what is known of one pod. Unknown times are zero.
type Pod struct {
	Name string
	UID  types.UID
	// Hash is the hash of the template from which the pod was made, and Failures is how
	// many pods in a row failed in its place before it.
	Hash     string
	Failures int
	// InService says that the pod carries the label that its Service selects, and
	// WithdrawnAt is the time at which the pod was last taken out or put back.
	// FollowsWithdrawn says that the session manager before this pod had left its Service
	// in time.
	InService        bool
	WithdrawnAt      time.Time
	FollowsWithdrawn bool
	// Storage stands for the storage that a session manager was made with, and is empty if
	// nobody has noted it. Forgets says that the storage is another than that of the
	// session manager before it.
	Storage string
	Forgets bool

	CreatedAt time.Time
	// Terminating says that the pod was deleted, DeletedAt is the time of the deletion,
	// and DrainsUntil is the end of the grace period. GraceGiven says that the grace
	// period is longer than zero.
	Terminating            bool
	DeletedAt, DrainsUntil time.Time
	GraceGiven             bool

	// Scheduled says that the pod has a node. CreatingSince is the time since which the
	// pod has a node and not a single container, and zero otherwise.
	Scheduled     bool
	CreatingSince time.Time
	// StartedAt is the time at which the component's container started last, after the
	// init containers, and FinishedAt is the time at which that container ended.
	StartedAt, FinishedAt time.Time
	// Restarted says that the component's container was started again in place.
	Restarted bool
	// Connected says that the startup probe has succeeded, which shows a connection to
	// the session manager. While the session manager is away no executor manager is
	// ready, and those that were ready go on with their tasks.
	Connected bool
	// Linked says that all probes of the pod succeed now, and LinkSince is the time since
	// which Linked has its value.
	Linked    bool
	LinkSince time.Time
	// Gate is the value of an executor manager's readiness gate, and GateSince is the
	// time since which the gate has it, zero if the gate was never set.
	Gate      bool
	GateSince time.Time
	// Ready says that the pod is ready, and ReadySince is the time since which it is.
	Ready      bool
	ReadySince time.Time

	// Ended says that an executor manager's container will not run again, by the word of
	// its kubelet, whatever runs beside it. For other components Ended is never set,
	// because their containers are started again in their pods.
	Ended bool
	// Over says that the pod's phase is Failed or Succeeded, whoever wrote it.
	Over bool

	// Health is the state of the pod for users.
	Health Health
}

// Finished reports whether a pod no longer does anything, whoever says so. A component of
// Flame that ends has failed, whatever its exit code.
func (p Pod) Finished() bool { return p.Over || p.Ended }

// Of reads a pod. The argument container is both the name of the pod's component and the
// name of the component's container.
func Of(pod *corev1.Pod, container string) Pod {
	p := Pod{
		Name:             pod.Name,
		UID:              pod.UID,
		Hash:             pod.Annotations[flamev1alpha1.AnnotationTemplateHash],
		InService:        pod.Labels[flamev1alpha1.LabelServing] == "true",
		FollowsWithdrawn: pod.Annotations[flamev1alpha1.AnnotationFollowsWithdrawn] == "true",
		Storage:          pod.Annotations[flamev1alpha1.AnnotationStorage],
		Forgets:          pod.Annotations[flamev1alpha1.AnnotationForgets] == "true",
		CreatedAt:        pod.CreationTimestamp.Time,
		Scheduled:        pod.Spec.NodeName != "",
		Over:             pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded,
	}
	// The first pod in a place has no such annotation.
	p.Failures, _ = strconv.Atoi(pod.Annotations[flamev1alpha1.AnnotationFailures])
	p.WithdrawnAt, _ = time.Parse(time.RFC3339, pod.Annotations[flamev1alpha1.AnnotationWithdrawnAt])
	p.readDeletion(pod)
	p.readConditions(pod.Status.Conditions)
	component := statusOf(pod, container)
	p.readContainer(component)
	if container == flamev1alpha1.ComponentExecutorManager {
		p.Ended = component.State.Terminated != nil || p.Over && component.State.Running == nil
	}
	p.readCreation(pod)
	p.Health = healthOf(pod, p, component)
	return p
}

// OfAll reads the pods of one component.
func OfAll(pods []*corev1.Pod, container string) []Pod {
	read := make([]Pod, len(pods))
	for i, pod := range pods {
		read[i] = Of(pod, container)
	}
	return read
}

// readDeletion reads the deletion timestamp, which is the end of the grace period.
func (p *Pod) readDeletion(pod *corev1.Pod) {
	if pod.DeletionTimestamp == nil {
		return
	}
	p.Terminating, p.DrainsUntil = true, pod.DeletionTimestamp.Time
	if grace := pod.DeletionGracePeriodSeconds; grace != nil {
		p.DeletedAt = p.DrainsUntil.Add(-time.Duration(*grace) * time.Second)
		p.GraceGiven = *grace > 0
	}
}

func (p *Pod) readConditions(conditions []corev1.PodCondition) {
	for i := range conditions {
		is, since := conditions[i].Status == corev1.ConditionTrue, conditions[i].LastTransitionTime.Time
		switch conditions[i].Type {
		case corev1.PodReady:
			if p.Ready = is; is {
				p.ReadySince = since
			}
		case corev1.ContainersReady:
			p.Linked, p.LinkSince = is, since
		case flamev1alpha1.GateNodeReady:
			p.Gate, p.GateSince = is, since
		}
	}
}

// readCreation tells a pod that has no container yet from one whose first container was
// made, which is the init container if there is one.
func (p *Pod) readCreation(pod *corev1.Pod) {
	if !p.Scheduled || p.Over || p.Terminating {
		return
	}
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if c.State.Running != nil || c.State.Terminated != nil || c.LastTerminationState.Terminated != nil {
			return
		}
		if waiting := c.State.Waiting; waiting != nil && waiting.Reason != "ContainerCreating" && waiting.Reason != "PodInitializing" {
			return
		}
	}
	p.CreatingSince = p.CreatedAt
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue {
			p.CreatingSince = c.LastTransitionTime.Time
		}
	}
}

func (p *Pod) readContainer(component corev1.ContainerStatus) {
	p.Restarted = component.RestartCount > 0
	p.Connected = component.Started != nil && *component.Started
	switch state := component.State; {
	case state.Running != nil:
		p.StartedAt = state.Running.StartedAt.Time
	case state.Terminated != nil:
		p.StartedAt, p.FinishedAt = state.Terminated.StartedAt.Time, state.Terminated.FinishedAt.Time
	}
}

// statusOf returns the status of a container, and an empty status if the kubelet has not
// reported the container.
func statusOf(pod *corev1.Pod, container string) corev1.ContainerStatus {
	for i := range pod.Status.ContainerStatuses {
		if pod.Status.ContainerStatuses[i].Name == container {
			return pod.Status.ContainerStatuses[i]
		}
	}
	return corev1.ContainerStatus{}
}
