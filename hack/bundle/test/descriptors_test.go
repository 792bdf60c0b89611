// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// paths lists the fields below a schema that are the project's own.
func paths(schema map[string]any, at string) []string {
	whole := []string{
		"resources", "volumeClaimTemplate", "env", "tolerations", "nodeSelector", "podTemplate", "imagePullSecrets", "conditions",
	}
	var list []string
	properties, _ := schema["properties"].(map[string]any)
	for name, field := range properties {
		path := strings.TrimPrefix(at+"."+name, ".")
		list = append(list, path)
		if !slices.Contains(whole, name) {
			list = append(list, paths(field.(map[string]any), path)...)
		}
	}
	return list
}

// schemas returns the schemas of spec and status.
func schemas(t *testing.T) (spec, status map[string]any) {
	t.Helper()
	crd := map[string]any{}
	data, err := os.ReadFile(filepath.Join(root, "config/crd/bases/flame.xflops.io_flameclusters.yaml"))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(data, &crd))
	version := crd["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any)
	properties := version["schema"].(map[string]any)["openAPIV3Schema"].(map[string]any)["properties"].(map[string]any)
	return properties["spec"].(map[string]any), properties["status"].(map[string]any)
}

// at returns the schema of the field at a path.
func at(schema map[string]any, path string) map[string]any {
	for name := range strings.SplitSeq(path, ".") {
		schema = schema["properties"].(map[string]any)[name].(map[string]any)
	}
	return schema
}

func TestEveryFieldHasADescriptor(t *testing.T) {
	bundle := load(t)
	owned := bundle.CSV.Spec.CustomResourceDefinitions.Owned
	require.Len(t, owned, 1)
	var spec, status []string
	for _, d := range owned[0].SpecDescriptors {
		spec = append(spec, d.Path)
		assert.NotEmpty(t, d.DisplayName, d.Path)
		assert.NotEqual(t, "<nil>", d.Description, d.Path)
	}
	for _, d := range owned[0].StatusDescriptors {
		status = append(status, d.Path)
	}
	specSchema, statusSchema := schemas(t)
	assert.ElementsMatch(t, paths(specSchema, ""), spec)
	assert.ElementsMatch(t, paths(statusSchema, ""), status)
	assert.NotEmpty(t, owned[0].Resources)
}

// The console prints a list of objects as text, and then as [object Object].
func TestTheConsoleShowsNoListOfObjectsAsText(t *testing.T) {
	_, schema := schemas(t)
	lists := 0
	for _, d := range load(t).CSV.Spec.CustomResourceDefinitions.Owned[0].StatusDescriptors {
		items, _ := at(schema, d.Path)["items"].(map[string]any)
		if items["type"] != "object" {
			continue
		}
		lists++
		require.Len(t, d.XDescriptors, 1, d.Path)
		assert.Contains(t, []string{"urn:alm:descriptor:com.tectonic.ui:hidden", "urn:alm:descriptor:io.kubernetes.conditions"}, d.XDescriptors[0], d.Path)
	}
	assert.NotZero(t, lists)
}

// A form shows a number without the words of its description.
func TestDurationsSayTheirUnit(t *testing.T) {
	durations := 0
	for _, d := range load(t).CSV.Spec.CustomResourceDefinitions.Owned[0].SpecDescriptors {
		for unit, suffix := range map[string]string{"Seconds": " (seconds)", "Milliseconds": " (milliseconds)"} {
			if strings.HasSuffix(d.Path, unit) {
				durations++
				assert.True(t, strings.HasSuffix(d.DisplayName, suffix), "%s is shown as %q", d.Path, d.DisplayName)
			}
		}
	}
	assert.NotZero(t, durations)
}

// The console offers the examples as a start.
func TestAnExampleShowsAutoscaling(t *testing.T) {
	var examples []map[string]any
	require.NoError(t, json.Unmarshal([]byte(load(t).CSV.Annotations["alm-examples"]), &examples))
	var shown []string
	for _, example := range examples {
		autoscaling, found, err := unstructured.NestedMap(example, "spec", "executorManager", "autoscaling")
		require.NoError(t, err)
		if found {
			shown = append(shown, slices.Sorted(maps.Keys(autoscaling))...)
		}
	}
	assert.Subset(t, shown, []string{"maxReplicas", "minReplicas", "scaleDownDelaySeconds"})
}

func TestLabelsOfTheImageAreTheAnnotations(t *testing.T) {
	file, err := os.ReadFile(filepath.Join(root, "bundle.Dockerfile"))
	require.NoError(t, err)
	labels := map[string]string{}
	for _, match := range regexp.MustCompile(`(?m)^LABEL ([^=]+)=(.*)$`).FindAllStringSubmatch(string(file), -1) {
		labels[match[1]] = match[2]
	}
	metadata := struct{ Annotations map[string]string }{}
	data, err := os.ReadFile(filepath.Join(root, "bundle/metadata/annotations.yaml"))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(data, &metadata))
	assert.Equal(t, metadata.Annotations, labels)
}
