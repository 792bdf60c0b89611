// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
	crd := map[string]any{}
	data, err := os.ReadFile(filepath.Join(root, "config/crd/bases/flame.xflops.io_flameclusters.yaml"))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(data, &crd))
	version := crd["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any)
	properties := version["schema"].(map[string]any)["openAPIV3Schema"].(map[string]any)["properties"].(map[string]any)
	assert.ElementsMatch(t, paths(properties["spec"].(map[string]any), ""), spec)
	assert.ElementsMatch(t, paths(properties["status"].(map[string]any), ""), status)
	assert.NotEmpty(t, owned[0].Resources)
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
