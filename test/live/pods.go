// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// UIDs are the pods that live, by name.
type UIDs map[string]types.UID

// UIDsOf returns those of pods that have neither ended nor been told to.
func UIDsOf(pods []corev1.Pod) UIDs {
	result := UIDs{}
	for i := range pods {
		if Lives(&pods[i]) {
			result[pods[i].Name] = pods[i].UID
		}
	}
	return result
}

// Lives reports whether a pod has neither ended nor been told to.
func Lives(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && pod.Status.Phase != corev1.PodFailed && pod.Status.Phase != corev1.PodSucceeded
}

// Contains reports whether every pod of others is among these.
func (u UIDs) Contains(others UIDs) bool {
	for name, uid := range others {
		if u[name] != uid {
			return false
		}
	}
	return true
}

// Overlaps reports whether any pod of others is among these.
func (u UIDs) Overlaps(others UIDs) bool {
	for name, uid := range others {
		if u[name] == uid {
			return true
		}
	}
	return false
}
