// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// kubelet marks every pod of Flame as running and ready as soon as it sees the pod, and
// runs nothing. The kubelet also sets readiness gates, because nothing else does so where
// no Flame answers.
type kubelet struct {
	client client.Client
	pods   chan *corev1.Pod
	err    atomic.Pointer[error]
}

// kubeletWorkers is how many pods it marks at the same time.
const kubeletWorkers = 4

func (s *server) startKubelet(ctx context.Context) (*kubelet, error) {
	events, err := s.watch(ctx, func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		return s.client.Watch(ctx, &corev1.PodList{}, client.MatchingLabels{flamev1alpha1.LabelPartOf: "flame"}, &client.ListOptions{Raw: &options})
	})
	if err != nil {
		return nil, fmt.Errorf("watch Pods: %w", err)
	}
	k := &kubelet{client: s.client, pods: make(chan *corev1.Pod, 10_000)}
	go func() {
		defer close(k.pods)
		for event := range events.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok && event.Type == watch.Added {
				k.pods <- pod
			}
		}
	}()
	for range kubeletWorkers {
		go func() {
			for pod := range k.pods {
				if err := k.run(ctx, pod); err != nil && ctx.Err() == nil {
					k.err.Store(&err)
				}
			}
		}()
	}
	return k, nil
}

// failure is what went wrong last, so that it explains what never happened.
func (k *kubelet) failure() error {
	if err := k.err.Load(); err != nil {
		return *err
	}
	return nil
}

// run marks a pod as running, again if somebody changed it meanwhile.
func (k *kubelet) run(ctx context.Context, pod *corev1.Pod) error {
	for {
		setRunning(pod, metav1.Now())
		err := k.client.Status().Update(ctx, pod)
		if apierrors.IsConflict(err) {
			err = k.client.Get(ctx, client.ObjectKeyFromObject(pod), pod)
			if err == nil {
				continue
			}
		}
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("mark Pod %q as running: %w", pod.Name, err)
		}
		return nil
	}
}

func setRunning(pod *corev1.Pod, now metav1.Time) {
	pod.Status.Phase, pod.Status.StartTime = corev1.PodRunning, &now
	conditions := []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady}
	for _, gate := range pod.Spec.ReadinessGates {
		conditions = append(conditions, gate.ConditionType)
	}
	pod.Status.Conditions = nil
	for _, kind := range conditions {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	pod.Status.ContainerStatuses = nil
	for _, container := range pod.Spec.Containers {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: container.Name, Image: container.Image, Ready: true, Started: ptr.To(true),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
}
