// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	corev1 "k8s.io/api/core/v1"
)

// AsksForNoMore reports whether a pod that takes the place of another asks for no more of
// any resource, so that a quota that has room for the other one has room for it.
func AsksForNoMore(pod, other corev1.PodSpec) bool {
	fits := func(of func(corev1.ResourceRequirements) corev1.ResourceList) bool {
		before := total(other, of)
		for name, quantity := range total(pod, of) {
			if had, counted := before[name]; !counted || quantity.Cmp(had) > 0 {
				return false
			}
		}
		return true
	}
	return fits(func(r corev1.ResourceRequirements) corev1.ResourceList { return r.Requests }) &&
		fits(func(r corev1.ResourceRequirements) corev1.ResourceList { return r.Limits })
}

// total is what the containers of a pod ask for together. Init containers run before them,
// and count where one asks for more than all.
func total(pod corev1.PodSpec, of func(corev1.ResourceRequirements) corev1.ResourceList) corev1.ResourceList {
	sum := corev1.ResourceList{}
	for _, container := range pod.Containers {
		for name, quantity := range of(container.Resources) {
			quantity.Add(sum[name])
			sum[name] = quantity
		}
	}
	for _, container := range pod.InitContainers {
		for name, quantity := range of(container.Resources) {
			if had := sum[name]; quantity.Cmp(had) > 0 {
				sum[name] = quantity
			}
		}
	}
	return sum
}
