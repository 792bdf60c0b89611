// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package podstate is the one reading of a pod: what its metadata, its kubelet and
// the operator's own marks say, as plain values.
//
// Whoever plans, reports or proves takes these values, so that no two parts of the
// operator give one question two answers. What only one of them needs, such as what
// Flame says of a pod, stands beside it there.
//
// The one hard idea is that a pod ends in two ways. Ended is the kubelet's word about
// the component's own container, and a proof. Over is the pod's phase, which others
// write too: garbage collection does for the pods of a machine that is gone, whose
// processes may live.
package podstate

import (
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// Pod is what is known of one pod. Times are zero where nothing is known.
type Pod struct {
	Name string
	UID  types.UID
	// Hash is that of the template from which it was made, and Failures is how many
	// pods in a row failed in its place before it.
	Hash     string
	Failures int
	// InService says that it carries the label that its Service selects, WithdrawnAt
	// when it was taken out or put back last. FollowsWithdrawn says that the session
	// manager before it had left its Service in time.
	InService        bool
	WithdrawnAt      time.Time
	FollowsWithdrawn bool

	CreatedAt time.Time
	// Terminating says that it was deleted, DeletedAt when, and DrainsUntil when its
	// grace period ends. GraceGiven says that it has one to end its work in.
	Terminating            bool
	DeletedAt, DrainsUntil time.Time
	GraceGiven             bool

	// Scheduled says that it has a node.
	Scheduled bool
	// StartedAt is when the container of its component started last, after the init
	// containers, and FinishedAt when that container ended.
	StartedAt, FinishedAt time.Time
	// Restarted says that the container was started again in place.
	Restarted bool
	// Connected says that its startup probe has succeeded, which shows a connection
	// to the session manager. While that is away no executor manager is ready, and
	// those that were go on with their tasks.
	Connected bool
	// Linked says that all of its probes succeed now, LinkSince since when that is as
	// it is.
	Linked    bool
	LinkSince time.Time
	// Gate is what the readiness gate of an executor manager says, and GateSince since
	// when; zero if it was never set.
	Gate      bool
	GateSince time.Time
	// Ready says that it is, and ReadySince since when.
	Ready      bool
	ReadySince time.Time

	// Ended says that the container of an executor manager will not run again, by the
	// word of its kubelet, whatever runs beside it. Containers of the other components
	// are started again in their pods.
	Ended bool
	// Over says that the pod's phase is a last one, whoever wrote it.
	Over bool

	// Health is how it is, for users.
	Health Health
}

// Finished reports whether a pod does nothing any more, whoever says so. Whatever its
// exit code, a component of Flame that ends has failed.
func (p Pod) Finished() bool { return p.Over || p.Ended }

// Of reads a pod. container is the name of its component, and of the container in it
// that is the component.
func Of(pod *corev1.Pod, container string) Pod {
	p := Pod{
		Name:             pod.Name,
		UID:              pod.UID,
		Hash:             pod.Annotations[flamev1alpha1.AnnotationTemplateHash],
		InService:        pod.Labels[flamev1alpha1.LabelServing] == "true",
		FollowsWithdrawn: pod.Annotations[flamev1alpha1.AnnotationFollowsWithdrawn] == "true",
		CreatedAt:        pod.CreationTimestamp.Time,
		Scheduled:        pod.Spec.NodeName != "",
		Over:             pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded,
	}
	// None are written on the first pod in a place.
	p.Failures, _ = strconv.Atoi(pod.Annotations[flamev1alpha1.AnnotationFailures])
	p.WithdrawnAt, _ = time.Parse(time.RFC3339, pod.Annotations[flamev1alpha1.AnnotationWithdrawnAt])
	p.readDeletion(pod)
	p.readConditions(pod.Status.Conditions)
	component := statusOf(pod, container)
	p.readContainer(component)
	if container == flamev1alpha1.ComponentExecutorManager {
		p.Ended = component.State.Terminated != nil || p.Over && component.State.Running == nil
	}
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

// readDeletion goes by the deletion timestamp, which is when the grace period ends.
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

// statusOf returns the status of a container, and an empty one if its kubelet has not
// told of it.
func statusOf(pod *corev1.Pod, container string) corev1.ContainerStatus {
	for i := range pod.Status.ContainerStatuses {
		if pod.Status.ContainerStatuses[i].Name == container {
			return pod.Status.ContainerStatuses[i]
		}
	}
	return corev1.ContainerStatus{}
}
