// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// Refusal is a spec that cannot run, and the words that have to say so: the field
// and what is wrong with it.
type Refusal struct {
	// Why completes "a FlameCluster with ...".
	Why    string
	Change func(cluster *flamev1alpha1.FlameCluster)
	Words  []string
}

// AtAdmission are specs that the API server does not take.
func AtAdmission() []Refusal {
	return []Refusal{
		{"a slot of half a CPU", func(c *flamev1alpha1.FlameCluster) { c.Spec.SessionManager.Slot.CPU = resource.MustParse("500m") },
			[]string{"spec.sessionManager.slot.cpu", "whole number"}},
		{"a slot without memory", func(c *flamev1alpha1.FlameCluster) { c.Spec.SessionManager.Slot.Memory = resource.MustParse("0") },
			[]string{"spec.sessionManager.slot.memory", "more than 0"}},
		{"a name too long for a host's", func(c *flamev1alpha1.FlameCluster) { c.Name += strings.Repeat("x", 40-len(c.Name)) },
			[]string{"metadata.name", "at most 39 characters"}},
		{"a name that no Service can have", func(c *flamev1alpha1.FlameCluster) { c.Name = "1st" },
			[]string{"metadata.name", "start with a letter"}},
		{"a policy that Flame does not have", func(c *flamev1alpha1.FlameCluster) { c.Spec.SessionManager.Policy = "fair" },
			[]string{"spec.sessionManager.policy", `"fair"`, "priority", "drf"}},
		{"fewer than no executor managers", func(c *flamev1alpha1.FlameCluster) { c.Spec.ExecutorManager.Replicas = ptr.To[int32](-1) },
			[]string{"spec.executorManager.replicas", "greater than or equal to 0"}},
		{"an update that could replace nothing", func(c *flamev1alpha1.FlameCluster) {
			c.Spec.ExecutorManager.UpdateStrategy.MaxSurge = intstr.FromString("0%")
			c.Spec.ExecutorManager.UpdateStrategy.MaxUnavailable = intstr.FromString("0%")
		}, []string{"spec.executorManager.updateStrategy", "cannot both be 0"}},
		{"two volumes for its sessions", func(c *flamev1alpha1.FlameCluster) {
			c.Spec.SessionManager.Storage.ExistingClaim = "another"
			c.Spec.SessionManager.Storage.VolumeClaimTemplate = &corev1.PersistentVolumeClaimSpec{}
		}, []string{"spec.sessionManager.storage", "exclude each other"}},
	}
}

// ByTheOperator are specs that the API server takes and the operator refuses.
func ByTheOperator() []Refusal {
	return []Refusal{
		{"a CPU limit that makes room for other executors than it says", func(c *flamev1alpha1.FlameCluster) {
			c.Spec.ExecutorManager.Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("3")}
		}, []string{"executorManager.resources.limits.cpu", "maxExecutors", "leave it out"}},
		{"a variable that the operator sets", func(c *flamev1alpha1.FlameCluster) {
			c.Spec.SessionManager.Env = []corev1.EnvVar{{Name: "FLAME_HOME", Value: "/"}}
		}, []string{"sessionManager.env", "FLAME_HOME", "leave it out"}},
		{"an image that does not say its version", func(c *flamev1alpha1.FlameCluster) {
			c.Spec.FlameVersion = ""
			c.Spec.SessionManager.Image = "example.com/flame-session-manager:latest"
		}, []string{"flameVersion"}},
	}
}
