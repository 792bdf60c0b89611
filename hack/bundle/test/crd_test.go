// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// The gate of a release lets through what OLM v1 lets through. The real script
// runs, with the pinned crdify, which is built the first time.
func TestGateOfTheCRD(t *testing.T) {
	path := filepath.Join(root, "config/crd/bases/flame.xflops.io_flameclusters.yaml")
	type schema = apiextensionsv1.JSONSchemaProps
	for name, test := range map[string]struct {
		change func(whole, spec *schema)
		want   string
	}{
		"nothing changed": {func(_, _ *schema) {}, ""},
		"a field that may be left out": {func(_, spec *schema) {
			spec.Properties["extra"] = schema{Type: "string"}
		}, ""},
		"a better description": {func(_, spec *schema) { spec.Description = "spec says it better" }, ""},
		"one more value of an enum": {func(_, spec *schema) {
			shim := spec.Properties["executorManager"].Properties["shim"]
			shim.Enum = append(shim.Enum, apiextensionsv1.JSON{Raw: []byte(`"wasm"`)})
			spec.Properties["executorManager"].Properties["shim"] = shim
		}, ""},
		"a field removed": {func(_, spec *schema) { delete(spec.Properties, "suspend") }, "existingFieldRemoval"},
		"a new required field": {func(_, spec *schema) {
			spec.Properties["licence"] = schema{Type: "string"}
			spec.Required = append(spec.Required, "licence")
		}, "required"},
		"a field that has to be given now": {func(_, spec *schema) { spec.Required = append(spec.Required, "flameVersion") }, "required"},
		"another default": {func(_, spec *schema) {
			replicas := spec.Properties["executorManager"].Properties["replicas"]
			replicas.Default = &apiextensionsv1.JSON{Raw: []byte("2")}
			spec.Properties["executorManager"].Properties["replicas"] = replicas
		}, "default"},
		"a changed CEL rule":          {func(whole, _ *schema) { whole.XValidations[0].Rule = "size(self.metadata.name) <= 40" }, "unhandled changes found"},
		"a CEL rule with other words": {func(whole, _ *schema) { whole.XValidations[0].Message = "too long" }, "unhandled changes found"},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			crd := &apiextensionsv1.CustomResourceDefinition{}
			require.NoError(t, yaml.Unmarshal(data, crd))
			whole := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
			spec := whole.Properties["spec"]
			spec.Required = slices.Clone(spec.Required)
			test.change(whole, &spec)
			whole.Properties["spec"] = spec
			data, err = yaml.Marshal(crd)
			require.NoError(t, err)
			changed := filepath.Join(t.TempDir(), "crd.yaml")
			require.NoError(t, os.WriteFile(changed, data, 0o600))

			old, err := filepath.Abs(path)
			require.NoError(t, err)
			out, err := exec.CommandContext(t.Context(), filepath.Join(root, "hack/crd-compatible"), old, changed).CombinedOutput()
			if test.want == "" {
				require.NoError(t, err, string(out))
				return
			}
			require.Error(t, err)
			assert.Contains(t, string(out), test.want)
			assert.Contains(t, string(out), "is no compatible update")
		})
	}
}
