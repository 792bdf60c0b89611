// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

func TestAReplacementFitsWhereItAsksForNoMore(t *testing.T) {
	container := func(requests, limits corev1.ResourceList) corev1.Container {
		return corev1.Container{Resources: corev1.ResourceRequirements{Requests: requests, Limits: limits}}
	}
	sidecar := func(requests corev1.ResourceList) corev1.Container {
		c := container(requests, nil)
		c.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
		return c
	}
	pod := func(containers ...corev1.Container) corev1.PodSpec { return corev1.PodSpec{Containers: containers} }
	one, two := limits("cpu", "1"), limits("cpu", "2")
	other := pod(container(one, two), container(one, nil))
	for name, test := range map[string]struct {
		pod  corev1.PodSpec
		want bool
	}{
		"the same":                          {other, true},
		"fewer":                             {pod(container(one, one)), true},
		"the same in other containers":      {pod(container(two, two)), true},
		"more":                              {pod(container(two, two), container(one, nil)), false},
		"a higher limit":                    {pod(container(one, two), container(one, one)), false},
		"of something else":                 {pod(container(limits("memory", "1"), nil)), false},
		"in an init container":              {corev1.PodSpec{InitContainers: []corev1.Container{container(two, two)}}, true},
		"more in an init container":         {corev1.PodSpec{InitContainers: []corev1.Container{container(limits("cpu", "3"), nil)}}, false},
		"in an init container, beside some": {corev1.PodSpec{InitContainers: []corev1.Container{container(two, nil)}, Containers: other.Containers}, true},
		"in a sidecar that runs beside the others": {corev1.PodSpec{InitContainers: []corev1.Container{sidecar(one)}, Containers: other.Containers}, false},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, AsksForNoMore(&corev1.Pod{Spec: test.pod}, &corev1.Pod{Spec: other}))
		})
	}
}
