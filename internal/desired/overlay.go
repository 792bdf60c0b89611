// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	utiljson "sigs.k8s.io/json"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// overlay lays the user's podTemplate over a template. A podTemplate is invalid if it has
// a field that does not exist, or changes something that Flame or the operator relies on.
func overlay(p parts, template *corev1.PodTemplateSpec) (*corev1.PodTemplateSpec, error) {
	if p.settings.PodTemplate == nil || len(p.settings.PodTemplate.Raw) == 0 {
		return template, nil
	}
	field := specField(p.component) + ".podTemplate"
	patch := p.settings.PodTemplate.Raw
	var fields any
	if err := json.Unmarshal(patch, &fields); err != nil {
		return nil, Invalid("%s is no pod template: %v", field, err)
	}
	if empty := emptyElement(fields); empty != "" {
		return nil, Invalid("%s%s is null, where a list has no empty element: remove it", field, empty)
	}
	strict, err := utiljson.UnmarshalStrict(patch, &corev1.PodTemplateSpec{})
	if err != nil {
		return nil, Invalid("%s is no pod template: %v", field, err)
	}
	if len(strict) > 0 {
		return nil, Invalid("%s: %v", field, strict[0])
	}
	original, err := json.Marshal(template)
	if err != nil {
		return nil, fmt.Errorf("lay %s over the pod: %w", field, err)
	}
	merged, err := strategicpatch.StrategicMergePatch(original, patch, corev1.PodTemplateSpec{})
	if err != nil {
		return nil, Invalid("%s cannot be laid over the pod: %v", field, err)
	}
	result := &corev1.PodTemplateSpec{}
	if err := json.Unmarshal(merged, result); err != nil {
		return nil, Invalid("%s is no pod template: %v", field, err)
	}
	if problems := protected(p.component, template, result); len(problems) > 0 {
		for i := range problems {
			problems[i] = field + " cannot change " + problems[i]
		}
		return nil, &InvalidSpecError{Problems: problems}
	}
	return result, nil
}

// emptyElement returns the path of the first list element that is null, in the order of
// names. Unlike a field that is null, which a patch removes, such an element means
// nothing.
func emptyElement(value any) string {
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if below := emptyElement(value[name]); below != "" {
				return "." + name + below
			}
		}
	case []any:
		for i, element := range value {
			if element == nil {
				return fmt.Sprintf("[%d]", i)
			}
			if below := emptyElement(element); below != "" {
				return fmt.Sprintf("[%d]%s", i, below)
			}
		}
	}
	return ""
}

// specField returns the name of the spec's field that describes a component.
func specField(component string) string {
	first, second, _ := strings.Cut(component, "-")
	return first + strings.ToUpper(second[:1]) + second[1:]
}

// protected lists the changes by an overlay to things that Flame or the operator relies on.
func protected(component string, before, after *corev1.PodTemplateSpec) []string {
	var problems []string
	refuse := func(changed bool, what string) {
		if changed {
			problems = append(problems, what)
		}
	}
	refuse(!contains(after.Labels, before.Labels), "the labels that the operator sets")
	refuse(!contains(after.Annotations, before.Annotations), "the annotations that the operator sets")
	refuse(after.Spec.Hostname != "" || after.Spec.Subdomain != "" || after.Spec.SetHostnameAsFQDN != nil || after.Spec.HostnameOverride != nil,
		"the host name: Flame knows a node by its pod's name")
	refuse(after.Spec.HostNetwork, "hostNetwork: Flame would know the node by its host's name")
	refuse(after.Spec.RestartPolicy != before.Spec.RestartPolicy, "restartPolicy, which the operator chooses for each component")
	// Flame workaround: share-process-namespace
	refuse(!equality.Semantic.DeepEqual(after.Spec.ShareProcessNamespace, before.Spec.ShareProcessNamespace),
		"shareProcessNamespace: without it a pod ignores its deletion for the whole grace period")
	refuse(component == flamev1alpha1.ComponentExecutorManager && after.Spec.TerminationGracePeriodSeconds != nil,
		"terminationGracePeriodSeconds: set executorManager.drainTimeoutSeconds")
	refuse(after.Spec.ServiceAccountName != before.Spec.ServiceAccountName, "serviceAccountName: set spec.serviceAccountName")
	for _, volume := range before.Spec.Volumes {
		refuse(!keepsVolume(volume, after.Spec.Volumes), fmt.Sprintf("the volume %q, which the operator makes: give yours another name", volume.Name))
	}
	for _, container := range before.Spec.InitContainers {
		problems = append(problems, containerProblems(component, container, after.Spec.InitContainers)...)
	}
	for _, container := range before.Spec.Containers {
		problems = append(problems, containerProblems(component, container, after.Spec.Containers)...)
	}
	return problems
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

func containerProblems(component string, before corev1.Container, all []corev1.Container) []string {
	i := slices.IndexFunc(all, func(c corev1.Container) bool { return c.Name == before.Name })
	if i < 0 {
		return []string{fmt.Sprintf("the container %q by removing it", before.Name)}
	}
	after := all[i]
	var problems []string
	if !slices.Equal(before.Command, after.Command) || !slices.Equal(before.Args, after.Args) {
		problems = append(problems, fmt.Sprintf("the command of container %q", before.Name))
	}
	if before.Lifecycle != nil && !equality.Semantic.DeepEqual(before.Lifecycle, after.Lifecycle) {
		problems = append(problems, fmt.Sprintf("the lifecycle hooks of container %q, which let it end without losing a task", before.Name))
	}
	if after.Image != before.Image {
		problems = append(problems, fmt.Sprintf("the image of container %q: set %s.image", before.Name, specField(component)))
	}
	if after.WorkingDir != before.WorkingDir {
		problems = append(problems, fmt.Sprintf("the working directory of container %q", before.Name))
	}
	if component == flamev1alpha1.ComponentExecutorManager &&
		!sameQuantity(before.Resources.Limits[corev1.ResourceCPU], after.Resources.Limits[corev1.ResourceCPU]) {
		problems = append(problems, fmt.Sprintf("the CPU limit of container %q: Flame runs as many executors as it has room for; set maxExecutors or slot.cpu", before.Name))
	}
	for _, name := range reservedEnv {
		if value(before.Env, name) != value(after.Env, name) {
			problems = append(problems, fmt.Sprintf("the variable %s of container %q", name, before.Name))
		}
	}
	return problems
}

func value(env []corev1.EnvVar, name string) string {
	i := slices.IndexFunc(env, func(e corev1.EnvVar) bool { return e.Name == name })
	if i < 0 {
		return ""
	}
	if env[i].ValueFrom != nil {
		return "from elsewhere"
	}
	return env[i].Value
}

// contains reports whether whole holds every entry of part.
func contains(whole, part map[string]string) bool {
	both := maps.Clone(part)
	maps.DeleteFunc(both, func(k, v string) bool { return whole[k] == v })
	return len(both) == 0
}
