// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	corev1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
)

// AsksForNoMore reports whether a pod that takes the place of another asks for no more of
// any resource, so that a quota that has room for the other one has room for it.
func AsksForNoMore(pod, other *corev1.Pod) bool {
	options := resourcehelper.PodResourcesOptions{}
	return fits(resourcehelper.PodRequests(pod, options), resourcehelper.PodRequests(other, options)) &&
		fits(resourcehelper.PodLimits(pod, options), resourcehelper.PodLimits(other, options))
}

func fits(asked, had corev1.ResourceList) bool {
	for name, quantity := range asked {
		if before, counted := had[name]; !counted || quantity.Cmp(before) > 0 {
			return false
		}
	}
	return true
}
