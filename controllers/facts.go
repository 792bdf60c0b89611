// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/executors"
	"github.com/xflops/flame-operator/internal/objectcache"
	"github.com/xflops/flame-operator/internal/sessionmanager"
	"github.com/xflops/flame-operator/internal/status"
)

// This file tells the pure packages what they need to know of a pod.

func sessionManagerFacts(pod *corev1.Pod) *sessionmanager.Pod {
	if pod == nil {
		return nil
	}
	times := timesOf(pod, flamev1alpha1.ComponentSessionManager)
	withdrawn, _ := time.Parse(time.RFC3339, pod.Annotations[flamev1alpha1.AnnotationWithdrawnAt])
	return &sessionmanager.Pod{
		Hash:        templateHash(pod),
		Terminating: pod.DeletionTimestamp != nil,
		Finished:    status.Finished(pod),
		Ready:       !readySince(pod).IsZero(),
		InService:   pod.Labels[flamev1alpha1.LabelServing] == "true",
		WithdrawnAt: withdrawn,
		CreatedAt:   pod.CreationTimestamp.Time,
		StartedAt:   times.started,
		FinishedAt:  times.finished,
		Failures:    failures(pod),
	}
}

func executorFacts(pods []*corev1.Pod) []executors.Pod {
	facts := make([]executors.Pod, len(pods))
	for i, pod := range pods {
		times := timesOf(pod, flamev1alpha1.ComponentExecutorManager)
		since := readySince(pod)
		facts[i] = executors.Pod{
			Name:        pod.Name,
			Hash:        templateHash(pod),
			CreatedAt:   pod.CreationTimestamp.Time,
			StartedAt:   times.started,
			ReadySince:  since,
			FinishedAt:  times.finished,
			Scheduled:   pod.Spec.NodeName != "",
			Ready:       !since.IsZero(),
			Connected:   hasStarted(pod, flamev1alpha1.ComponentExecutorManager),
			Finished:    status.Finished(pod),
			Terminating: pod.DeletionTimestamp != nil,
			Failures:    failures(pod),
		}
	}
	return facts
}

func objectCacheFacts(pods []corev1.Pod) []objectcache.Pod {
	facts := make([]objectcache.Pod, len(pods))
	for i := range pods {
		pod := &pods[i]
		facts[i] = objectcache.Pod{
			Name:        pod.Name,
			Hash:        templateHash(pod),
			Ready:       !readySince(pod).IsZero(),
			Terminating: pod.DeletionTimestamp != nil,
		}
	}
	return facts
}

// readySince returns when a pod became ready, or zero if it is not.
func readySince(pod *corev1.Pod) time.Time {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
			return condition.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

// hasStarted reports whether a container's startup probe has succeeded.
func hasStarted(pod *corev1.Pod, container string) bool {
	for _, c := range pod.Status.ContainerStatuses {
		if c.Name == container {
			return c.Started != nil && *c.Started
		}
	}
	return false
}

// containerTimes is when a component's container started and ended, zero if it did not.
type containerTimes struct{ started, finished time.Time }

func timesOf(pod *corev1.Pod, container string) containerTimes {
	for _, c := range pod.Status.ContainerStatuses {
		switch {
		case c.Name != container:
		case c.State.Running != nil:
			return containerTimes{started: c.State.Running.StartedAt.Time}
		case c.State.Terminated != nil:
			return containerTimes{c.State.Terminated.StartedAt.Time, c.State.Terminated.FinishedAt.Time}
		}
	}
	return containerTimes{}
}

func failures(pod *corev1.Pod) int {
	count, err := strconv.Atoi(pod.Annotations[flamev1alpha1.AnnotationFailures])
	if err != nil {
		return 0 // None are written on the first pod in a place.
	}
	return count
}
