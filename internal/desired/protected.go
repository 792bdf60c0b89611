// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/words"
)

// changes collects what an overlay may not change.
type changes []string

// refuse adds a change, named by what is changed and what to do instead, if there is one.
func (c *changes) refuse(changed bool, what string, args ...any) {
	if changed {
		*c = append(*c, " cannot change "+fmt.Sprintf(what, args...))
	}
}

// protected lists the changes by an overlay to things that Flame or the operator relies on.
func protected(component string, before, after *corev1.PodTemplateSpec) []string {
	var c changes
	c.refuse(!keepsOurs(before.Labels, after.Labels), "the labels that the operator sets, nor any of %s/", flamev1alpha1.GroupVersion.Group)
	c.refuse(!keepsOurs(before.Annotations, after.Annotations), "the annotations that the operator sets, nor any of %s/", flamev1alpha1.GroupVersion.Group)
	c.comparePods(&before.Spec, &after.Spec)
	if component == flamev1alpha1.ComponentExecutorManager {
		c.refuse(after.Spec.TerminationGracePeriodSeconds != nil, "terminationGracePeriodSeconds: set executorManager.drainTimeoutSeconds")
		c.refuse(len(after.Spec.ReadinessGates) > 0, "readinessGates: the operator's own alone decides whether an executor manager is ready")
	}
	c.compareVolumes(&before.Spec, &after.Spec)
	for _, container := range before.Spec.InitContainers {
		c.compareContainers(component, container, find(after.Spec.InitContainers, container.Name))
	}
	for _, container := range before.Spec.Containers {
		c.compareContainers(component, container, find(after.Spec.Containers, container.Name))
	}
	return c
}

func (c *changes) comparePods(before, after *corev1.PodSpec) {
	c.refuse(after.Hostname != "" || after.Subdomain != "" || after.SetHostnameAsFQDN != nil || after.HostnameOverride != nil,
		"the host name: Flame knows a node by its pod's name")
	c.refuse(after.HostNetwork, "hostNetwork: Flame would know the node by its host's name")
	c.refuse(after.HostPID, "hostPID: the containers of a pod share their own processes, and no others")
	c.refuse(after.RestartPolicy != before.RestartPolicy, "restartPolicy, which the operator chooses for each component")
	// Flame workaround: share-process-namespace
	c.refuse(!equality.Semantic.DeepEqual(after.ShareProcessNamespace, before.ShareProcessNamespace),
		"shareProcessNamespace: without it a pod ignores its deletion for the whole grace period")
	c.refuse(after.ServiceAccountName != before.ServiceAccountName || after.DeprecatedServiceAccount != "",
		"serviceAccountName: set spec.serviceAccountName")
	c.refuse(!equality.Semantic.DeepEqual(after.AutomountServiceAccountToken, before.AutomountServiceAccountToken),
		"automountServiceAccountToken: the code of users would get the token; mount a projected volume with a serviceAccountToken where it is meant to")
	c.refuse(len(after.EphemeralContainers) > 0, "ephemeralContainers, which no pod is made with: use kubectl debug")
}

// keepsOurs reports whether an overlay leaves the operator's labels or annotations as they
// are, and adds none that the operator would take for its own.
func keepsOurs(before, after map[string]string) bool {
	ours := maps.Clone(after)
	maps.DeleteFunc(ours, func(name, _ string) bool {
		_, isOurs := before[name]
		return !isOurs && !strings.HasPrefix(name, flamev1alpha1.GroupVersion.Group+"/")
	})
	return maps.Equal(ours, before)
}

// compareVolumes looks for changes to the volumes that the operator makes, and to those
// that a StatefulSet makes of claims, which the containers only mount.
func (c *changes) compareVolumes(before, after *corev1.PodSpec) {
	names := map[string]bool{}
	for _, volume := range before.Volumes {
		names[volume.Name] = true
		c.refuse(!keepsVolume(volume, after.Volumes), "the volume %q, which the operator makes: give yours another name", volume.Name)
	}
	for _, container := range before.Containers {
		for _, mount := range container.VolumeMounts {
			c.refuse(!names[mount.Name] && slices.ContainsFunc(after.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name }),
				"the volume %q, which is made of a claim: give yours another name", mount.Name)
		}
	}
}

// keepsVolume reports whether one of the operator's volumes is unchanged. An emptyDir may
// have another size or medium.
func keepsVolume(before corev1.Volume, all []corev1.Volume) bool {
	i := slices.IndexFunc(all, func(v corev1.Volume) bool { return v.Name == before.Name })
	if i < 0 {
		return false
	}
	after := all[i]
	if before.EmptyDir != nil && after.EmptyDir != nil {
		after.EmptyDir = before.EmptyDir
	}
	return equality.Semantic.DeepEqual(before, after)
}

func (c *changes) compareContainers(component string, before corev1.Container, after *corev1.Container) {
	name := before.Name
	if after == nil {
		c.refuse(true, "the container %q by removing it", name)
		return
	}
	c.refuse(!slices.Equal(before.Command, after.Command) || !slices.Equal(before.Args, after.Args), "the command of container %q", name)
	c.refuse(before.Lifecycle != nil && !equality.Semantic.DeepEqual(before.Lifecycle, after.Lifecycle),
		"the lifecycle hooks of container %q, which let it end without losing a task", name)
	c.refuse(after.Image != before.Image, "the image of container %q: set %s.image", name, specField(component))
	c.refuse(after.WorkingDir != before.WorkingDir, "the working directory of container %q", name)
	c.refuse(after.RestartPolicy != nil || len(after.RestartPolicyRules) > 0, "restartPolicy of container %q, which the operator chooses for each component", name)
	if component == flamev1alpha1.ComponentExecutorManager {
		c.compareExecutorManagers(before, after)
	}
	for _, variable := range reservedEnv {
		c.refuse(!equality.Semantic.DeepEqual(value(before.Env, variable), value(after.Env, variable)), "the variable %s of container %q", variable, name)
	}
	c.compareMounts(before, after)
}

// compareExecutorManagers looks for changes to the size by which Flame gives an executor
// manager work, and to the probes that show whether it is connected.
func (c *changes) compareExecutorManagers(before corev1.Container, after *corev1.Container) {
	c.refuse(!sameQuantity(before.Resources.Limits[corev1.ResourceCPU], after.Resources.Limits[corev1.ResourceCPU]),
		"the CPU limit of container %q: Flame runs as many executors as it has room for; set maxExecutors or slot.cpu", before.Name)
	c.refuse(!sameQuantity(before.Resources.Limits[GPUResource], after.Resources.Limits[GPUResource]),
		"the GPU limit of container %q: set slot.gpu", before.Name)
	c.refuse(!keepsProbe(before.StartupProbe, after.StartupProbe) || !keepsProbe(before.ReadinessProbe, after.ReadinessProbe),
		"what the startup and readiness probes of container %q ask, which is whether it is connected", before.Name)
}

// keepsProbe reports whether a probe still asks what it asked. How often it asks may change.
func keepsProbe(before, after *corev1.Probe) bool {
	return before == nil || equality.Semantic.DeepEqual(before.ProbeHandler, ptr.Deref(after, corev1.Probe{}).ProbeHandler)
}

// scratch are the volumes that a component only writes to. A volume of the user may be
// mounted in place of each.
var scratch = []string{"logs", "tmp", "work", "data", "home"}

// compareMounts looks for mounts that hide the operator's, or Flame's own programs.
func (c *changes) compareMounts(before corev1.Container, after *corev1.Container) {
	at := map[string]corev1.VolumeMount{}
	for _, mount := range after.VolumeMounts {
		at[mount.MountPath] = mount
	}
	places := map[string]bool{}
	for _, mount := range before.VolumeMounts {
		places[mount.MountPath] = true
		now := at[mount.MountPath]
		replaced := slices.Contains(scratch, mount.Name) && now.Name != "" && now.Name != mount.Name && !now.ReadOnly
		c.refuse(!replaced && !equality.Semantic.DeepEqual(mount, now), "what container %q has mounted at %s, the operator's volume %q: mount yours elsewhere",
			before.Name, mount.MountPath, mount.Name)
	}
	for _, mount := range after.VolumeMounts {
		place := path.Clean("/" + mount.MountPath)
		c.refuse(!places[mount.MountPath] && (places[place] || within(configDir, place) || within(place, binDir)),
			"what container %q has at %s by mounting the volume %s there: mount it elsewhere",
			before.Name, words.Cut(place, longestName), quoted(mount.Name))
	}
}

// within reports whether a path is a directory or below it.
func within(directory, place string) bool {
	return strings.HasPrefix(path.Clean(place)+"/", strings.TrimSuffix(directory, "/")+"/")
}

// value returns the variable of a name, and an empty one if there is none.
func value(env []corev1.EnvVar, name string) corev1.EnvVar {
	i := slices.IndexFunc(env, func(e corev1.EnvVar) bool { return e.Name == name })
	if i < 0 {
		return corev1.EnvVar{}
	}
	return env[i]
}
