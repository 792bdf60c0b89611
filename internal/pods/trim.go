// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"slices"
	"strings"
	"unique"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/podstate"
)

// Trim drops what the operator never reads of a pod, which is most of it: the spec except
// for the node, and what the kubelet, network plugins and field managers write for
// others. Trimming matters because thousands of pods are held by the cache and, until it
// shows them, by the expectations. The kept fields are listed one by one, so that a new
// field of Kubernetes costs nothing. Texts that many pods have in common are held once.
// Memory that the pod shares with others stays as it is.
func Trim(pod *corev1.Pod) {
	pod.ManagedFields = nil
	pod.Namespace = shared(pod.Namespace)
	pod.Labels = sharedMap(pod.Labels, "")
	pod.Annotations = sharedMap(pod.Annotations, flamev1alpha1.GroupVersion.Group+"/")
	pod.OwnerReferences = sharedOwners(pod.OwnerReferences)
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

// shared returns the one copy of a text that all pods hold.
func shared(text string) string { return unique.Make(text).Value() }

// sharedMap returns the entries whose names have a prefix, in a new map, since deleting
// entries from a map does not make it smaller.
func sharedMap(all map[string]string, prefix string) map[string]string {
	kept := make(map[string]string)
	for name, value := range all {
		if strings.HasPrefix(name, prefix) {
			kept[shared(name)] = shared(value)
		}
	}
	return kept
}

func sharedOwners(all []metav1.OwnerReference) []metav1.OwnerReference {
	owners := slices.Clone(all)
	for i := range owners {
		owner := &owners[i]
		owner.APIVersion, owner.Kind, owner.Name = shared(owner.APIVersion), shared(owner.Kind), shared(owner.Name)
		owner.UID = types.UID(shared(string(owner.UID)))
	}
	return owners
}

func trimContainers(all []corev1.ContainerStatus) []corev1.ContainerStatus {
	var kept []corev1.ContainerStatus
	for _, c := range all {
		kept = append(kept, corev1.ContainerStatus{
			Name:                 c.Name,
			State:                trimState(c.State),
			LastTerminationState: trimState(c.LastTerminationState),
			RestartCount:         c.RestartCount,
			Image:                shared(c.Image),
			Started:              c.Started,
		})
	}
	return kept
}

// trimState keeps of what a container said last the part that is told.
func trimState(state corev1.ContainerState) corev1.ContainerState {
	if state.Terminated != nil && state.Terminated.Message != "" {
		ended := *state.Terminated
		ended.Message = podstate.LastLine(ended.Message)
		state.Terminated = &ended
	}
	return state
}
