// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// Trim drops of a pod what the operator never reads, which is most of it: the
// spec but for the node, and what kubelet, network plugins and field managers
// write for others. Thousands of pods are held, by the cache and, until it shows
// them, by the ledger. What is kept is named, so that a new field of Kubernetes
// costs nothing.
func Trim(pod *corev1.Pod) {
	pod.ManagedFields = nil
	pod.Annotations = ourAnnotations(pod.Annotations)
	pod.Spec = corev1.PodSpec{NodeName: pod.Spec.NodeName}
	pod.Status = corev1.PodStatus{
		Phase:                 pod.Status.Phase,
		Reason:                pod.Status.Reason,
		Message:               pod.Status.Message,
		Conditions:            pod.Status.Conditions,
		InitContainerStatuses: trimContainers(pod.Status.InitContainerStatuses),
		ContainerStatuses:     trimContainers(pod.Status.ContainerStatuses),
	}
}

// ourAnnotations returns a new map unless all are ours: deleting from a map
// leaves it as large as it was.
func ourAnnotations(all map[string]string) map[string]string {
	ours := make(map[string]string, 1)
	for name, value := range all {
		if strings.HasPrefix(name, flamev1alpha1.GroupVersion.Group+"/") {
			ours[name] = value
		}
	}
	if len(ours) == len(all) {
		return all
	}
	return ours
}

func trimContainers(all []corev1.ContainerStatus) []corev1.ContainerStatus {
	for i, c := range all {
		all[i] = corev1.ContainerStatus{
			Name:                 c.Name,
			State:                c.State,
			LastTerminationState: c.LastTerminationState,
			RestartCount:         c.RestartCount,
			Image:                c.Image,
			Started:              c.Started,
		}
	}
	return all
}
