// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/xflops/flame-operator/test/apiserver"
)

// examples are all FlameClusters that are shipped: the samples, and those that the console
// shows, of the bundle and of every release. The examples of older releases have to stay
// valid.
func examples(t *testing.T) map[string][]*unstructured.Unstructured {
	t.Helper()
	found := map[string][]*unstructured.Unstructured{}
	read := func(path string, into any) {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, yaml.UnmarshalStrict(data, into), path)
	}
	samples, err := filepath.Glob("../../config/samples/flame_*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, samples)
	for _, path := range samples {
		sample := &unstructured.Unstructured{}
		read(path, &sample.Object)
		found[path] = append(found[path], sample)
	}
	const name = "manifests/flame-operator.clusterserviceversion.yaml"
	bundles, err := filepath.Glob("../../catalog/releases/*/" + name)
	require.NoError(t, err)
	for _, path := range append(bundles, "../../bundle/"+name) {
		csv := &unstructured.Unstructured{}
		read(path, &csv.Object)
		var list []*unstructured.Unstructured
		require.NoError(t, json.Unmarshal([]byte(csv.GetAnnotations()["alm-examples"]), &list), path)
		require.NotEmpty(t, list, path)
		for _, example := range list {
			status, _, err := unstructured.NestedMap(example.Object, "status")
			require.NoError(t, err)
			assert.NotEmpty(t, status, "%s in %s: the scorecard looks at an example's status", example.GetName(), path)
		}
		found[path] = list
	}
	return found
}

func TestAnExampleWithASlipOfThePenIsRefused(t *testing.T) {
	c := client.WithFieldValidation(apiserver.Client(t), "Strict")
	example := examples(t)["../../config/samples/flame_v1alpha1_flamecluster.yaml"][0]
	example.SetNamespace(apiserver.Namespace(t, c))
	require.NoError(t, unstructured.SetNestedField(example.Object, true, "spec", "suspended"))
	require.ErrorContains(t, c.Create(t.Context(), example), `unknown field "spec.suspended"`)
	unstructured.RemoveNestedField(example.Object, "spec", "suspended")
	require.NoError(t, c.Create(t.Context(), example))
	require.NoError(t, unstructured.SetNestedField(example.Object, "Resting", "status", "state"))
	require.ErrorContains(t, c.Status().Update(t.Context(), example), "Unsupported value")
}

// Each example is taken with every field that it has, its status too: a field that the
// schema does not know is refused, not dropped.
func TestExamplesAreAccepted(t *testing.T) {
	c := client.WithFieldValidation(apiserver.Client(t), "Strict")
	for path, list := range examples(t) {
		namespace := apiserver.Namespace(t, c)
		for _, example := range list {
			t.Run(path+"/"+example.GetName(), func(t *testing.T) {
				status, hasStatus := example.Object["status"]
				example.SetNamespace(namespace)
				require.NoError(t, c.Create(t.Context(), example))
				if !hasStatus {
					return
				}
				example.Object["status"] = status
				require.NoError(t, c.Status().Update(t.Context(), example))
				assert.Equal(t, status, example.Object["status"])
			})
		}
	}
}

// Whoever comes from the first public FlameCluster looks for what the API server said.
func TestTheFirstPublicFlameClusterIsRefusedInTheWordsOfItsSection(t *testing.T) {
	document, err := os.ReadFile("../../docs/flamecluster.md")
	require.NoError(t, err)
	const heading = `spec.sessionManager.slot in body must be of type object: "string"`
	_, section, found := strings.Cut(string(document), "\n### "+heading+"\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := strings.Split(section, "```")
	require.Len(t, blocks, 7, "what is printed, the old FlameCluster, and the new one")
	c := client.WithFieldValidation(apiserver.Client(t), "Strict")
	create := func(block string) error {
		cluster := &unstructured.Unstructured{}
		require.NoError(t, yaml.Unmarshal([]byte(strings.TrimPrefix(block, "yaml")), &cluster.Object))
		cluster.SetNamespace(apiserver.Namespace(t, c))
		return c.Create(t.Context(), cluster)
	}
	refused := create(blocks[3])
	require.ErrorContains(t, refused, heading)
	_, reasons, _ := strings.Cut(refused.Error(), " is invalid: [")
	printed := strings.Split(strings.TrimSpace(blocks[1]), "\n* ")
	assert.ElementsMatch(t, strings.Split(strings.TrimSuffix(reasons, "]"), ", "), printed[1:])
	assert.NoError(t, create(blocks[5]))
}
