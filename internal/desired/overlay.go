// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	utiljson "sigs.k8s.io/json"

	"github.com/xflops/flame-operator/internal/words"
)

// overlay lays the user's podTemplate over a template. A podTemplate is invalid if it has
// a field that does not exist, or changes something that Flame or the operator relies on.
func overlay(p parts, template *corev1.PodTemplateSpec, tolerated []string) (*corev1.PodTemplateSpec, error) {
	if p.settings.PodTemplate == nil || len(p.settings.PodTemplate.Raw) == 0 {
		return template, nil
	}
	field := specField(p.component) + ".podTemplate"
	patch := p.settings.PodTemplate.Raw
	if problems := without(at(field, patchProblems(patch, template)), tolerated); len(problems) > 0 {
		return nil, &InvalidSpecError{Problems: problems}
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
	if problems := without(at(field, protected(p.component, template, result)), tolerated); len(problems) > 0 {
		return nil, &InvalidSpecError{Problems: problems}
	}
	return result, nil
}

// at returns the problems of a field, each of which goes on where the field's name ends.
func at(field string, problems []string) []string {
	for i := range problems {
		problems[i] = field + problems[i]
	}
	return problems
}

// patchProblems finds what is wrong with a podTemplate by itself, before it is laid over
// a template.
func patchProblems(patch []byte, template *corev1.PodTemplateSpec) []string {
	var fields any
	if err := json.Unmarshal(patch, &fields); err != nil {
		return []string{fmt.Sprintf(" is no pod template: %v", err)}
	}
	if problem := cmp.Or(emptyPart(fields), elementProblem("", fields)); problem != "" {
		return []string{problem}
	}
	asked := &corev1.PodTemplateSpec{}
	strict, err := utiljson.UnmarshalStrict(patch, asked)
	if err != nil {
		return []string{fmt.Sprintf(" is no pod template: %v", err)}
	}
	if len(strict) > 0 {
		return []string{fmt.Sprintf(": %v", strict[0])}
	}
	var problems []string
	if meta := (metav1.ObjectMeta{Labels: asked.Labels, Annotations: asked.Annotations}); !equality.Semantic.DeepEqual(asked.ObjectMeta, meta) {
		problems = append(problems, ".metadata has more than labels and annotations, which is all that a pod takes over, "+
			"and a finalizer would keep each pod from ever going: leave the rest out")
	}
	problems = append(problems, strangers("containers", asked.Spec.Containers, template.Spec.Containers)...)
	return append(problems, strangers("initContainers", asked.Spec.InitContainers, template.Spec.InitContainers)...)
}

// emptyPart finds a whole part of a podTemplate that is null, as YAML has it where nothing
// stands.
func emptyPart(fields any) string {
	parts, _ := fields.(map[string]any)
	for _, name := range []string{"metadata", "spec"} {
		if part, named := parts[name]; named && part == nil {
			return fmt.Sprintf(".%s is null, which would remove all that the operator sets in it: leave it out", name)
		}
	}
	return ""
}

// mergeKeys are the fields by which the elements of a list are told apart when a
// podTemplate is laid over a pod.
var mergeKeys = map[string]string{
	"containers": "name", "initContainers": "name", "ephemeralContainers": "name", "volumes": "name", "env": "name",
	"volumeMounts": "mountPath", "volumeDevices": "devicePath", "ports": "containerPort", "imagePullSecrets": "name",
	"hostAliases": "ip", "topologySpreadConstraints": "topologyKey", "resourceClaims": "name",
}

// elementProblem finds the first list element that is null or lacks its key, in the order
// of names. Unlike a field that is null, which a patch removes, such an element means
// nothing.
func elementProblem(path string, value any) string {
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if problem := elementProblem(path+"."+words.Cut(name, longestName), value[name]); problem != "" {
				return problem
			}
		}
	case []any:
		key := mergeKeys[path[strings.LastIndex(path, ".")+1:]]
		for i, element := range value {
			at := fmt.Sprintf("%s[%d]", path, i)
			fields, isObject := element.(map[string]any)
			switch {
			case element == nil:
				return at + " is null, where a list has no empty element: remove it"
			case isObject && key != "" && fields[key] == nil:
				return fmt.Sprintf("%s has no %s, by which the elements of this list are told apart: set it", at, key)
			}
			if problem := elementProblem(at, element); problem != "" {
				return problem
			}
		}
	}
	return ""
}

// strangers finds containers that cannot run, because the operator makes none of that name
// to lay them over and they have no image of their own.
func strangers(list string, asked, made []corev1.Container) []string {
	var problems []string
	for i, container := range asked {
		if container.Image != "" || find(made, container.Name) != nil {
			continue
		}
		cure := "give it an image"
		if len(made) > 0 {
			cure += fmt.Sprintf(", or call it %q to change the operator's", made[0].Name)
		}
		problems = append(problems, fmt.Sprintf(".spec.%s[%d], %s, has no image, and the operator makes no container of that name: %s",
			list, i, quoted(container.Name), cure))
	}
	return problems
}

// find returns the container of a name, or nil.
func find(containers []corev1.Container, name string) *corev1.Container {
	i := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &containers[i]
}

// longestName is how much of a name that the user chose is told, in bytes.
const longestName = 80

// quoted returns a name that the user chose as it is told.
func quoted(name string) string { return strconv.Quote(words.Cut(name, longestName)) }

// specField returns the name of the spec's field that describes a component.
func specField(component string) string {
	first, second, _ := strings.Cut(component, "-")
	return first + strings.ToUpper(second[:1]) + second[1:]
}
