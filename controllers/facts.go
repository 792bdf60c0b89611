// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/executors"
	"github.com/xflops/flame-operator/internal/flame/observation"
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

// replacedSince returns when a session manager that is being replaced left its
// Service, or was deleted without that; zero if nobody knows yet.
//
// It is read from the pod, where it stays the same whoever asks, so that an
// operator that starts anew does not take an old replacement for one that has just
// begun. The condition SessionManagerReady tells when it became False, which may
// have been long before.
func replacedSince(pod *corev1.Pod) time.Time {
	facts := sessionManagerFacts(pod)
	if !facts.InService && !facts.WithdrawnAt.IsZero() {
		return facts.WithdrawnAt
	}
	return deletedAt(pod)
}

// executorFacts joins what Kubernetes and Flame say of executor managers.
func (p *pass) executorFacts() []executors.Pod {
	pods := p.facts.ExecutorManagers
	facts := make([]executors.Pod, len(pods))
	flames := p.flameWork()
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
			Finished:    status.Ended(pod),
			Terminating: pod.DeletionTimestamp != nil,
			LostSince:   p.lost[pod.Name].Since,
			Useless:     p.lost[pod.Name].Useless,
			Work:        flames.of(pod, times.started),
			Failures:    failures(pod),
		}
		if status.Ended(pod) && !status.Finished(pod) {
			// What runs beside it has no task to end, and would get the time for it.
			facts[i].LostSince, facts[i].Useless = times.finished, true
		}
		if pod.DeletionTimestamp != nil {
			facts[i].DrainsUntil = pod.DeletionTimestamp.Time
		}
	}
	return facts
}

// flameWork says what Flame has its executor managers do; nil while nobody knows.
type flameWork struct {
	latest    observation.Latest
	executors map[string][]observation.Executor
	work      map[string]observation.Work
}

func (p *pass) flameWork() *flameWork {
	if !p.isRecent() {
		return nil
	}
	o := p.facts.Flame.Observation
	return &flameWork{latest: p.facts.Flame, executors: o.ExecutorsByNode(), work: o.Work()}
}

// registration is how long an executor manager may take from its start until
// Flame lists it. One that is not listed after that was cordoned, and so was one
// that is not listed any more: its readiness gate was set only when it was.
const registration = 10 * time.Second

// of returns what a pod does. What was observed before it started says nothing.
func (w *flameWork) of(pod *corev1.Pod, started time.Time) executors.Work {
	name := pod.Name
	if w == nil || !w.latest.Observation.At.After(started) {
		return executors.Work{}
	}
	_, listed := w.latest.Observation.Node(name)
	_, gated := conditionSince(pod, flamev1alpha1.GateNodeReady)
	work := executors.Work{
		Known:     true,
		Executors: len(w.executors[name]),
		Idle:      w.latest.Track.Nodes[name].Idle >= observation.SettledIdle,
		Cordoned:  !listed && (!gated.IsZero() || w.latest.Observation.At.After(started.Add(registration))),
	}
	for _, executor := range w.executors[name] {
		if w.work[executor.ID] == observation.RunsTask {
			work.Busy++
		}
	}
	return work
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
	if pod == nil {
		return time.Time{}
	}
	if ready, since := conditionSince(pod, corev1.PodReady); ready {
		return since
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
