// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// Whoever runs the scorecard says as whom: operator-sdk takes the service account
// default otherwise, which may do nothing.
func TestWhoRunsTheScorecardNamesItsServiceAccount(t *testing.T) {
	account := &corev1.ServiceAccount{}
	data, err := os.ReadFile(filepath.Join(root, "config/scorecard/rbac/service_account.yaml"))
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalStrict(data, account))
	for file, want := range map[string]string{
		"docs/install.md":          `(?m)^operator-sdk scorecard \./bundle .*-s ` + account.Name + ` `,
		"hack/scorecard/scorecard": `(?ms)^account=` + account.Name + `$.*^"\$sdk" scorecard "\$bundle" --namespace .* --service-account \$account `,
	} {
		text, err := os.ReadFile(filepath.Join(root, file))
		require.NoError(t, err)
		assert.Regexp(t, want, string(text), file)
	}
}

// The scorecard's configuration lies where the metadata says, has the six built-in
// tests in the version of operator-sdk that made the bundle, and tells its tests
// apart by their labels.
func TestScorecardConfiguration(t *testing.T) {
	bundle := load(t)
	path := filepath.Join(root, "bundle", annotations(t, bundle)["operators.operatorframework.io.test.config.v1"], "config.yaml")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	config := v1alpha3.Configuration{}
	require.NoError(t, yaml.UnmarshalStrict(data, &config))

	module, err := os.ReadFile(filepath.Join(root, "hack/tools/operator-sdk/go.mod"))
	require.NoError(t, err)
	sdk := regexp.MustCompile(`github.com/operator-framework/operator-sdk (v[0-9.]+)`).FindSubmatch(module)
	require.Len(t, sdk, 2)
	builtIn := "quay.io/operator-framework/scorecard-test:" + string(sdk[1])

	assert.Empty(t, config.ServiceAccount, "operator-sdk would take it rather than what --service-account says")

	var entrypoints []string
	names := map[string]bool{}
	for _, stage := range config.Stages {
		for _, test := range stage.Tests {
			require.NotEmpty(t, test.Entrypoint)
			name := test.Labels["suite"] + "/" + test.Labels["test"]
			assert.Regexp(t, `^[a-z]+/[a-z-]+-test$`, name)
			assert.False(t, names[name], "%s is there twice", name)
			names[name] = true
			if test.Image == builtIn {
				entrypoints = append(entrypoints, test.Entrypoint[len(test.Entrypoint)-1])
			} else {
				assert.Regexp(t, `^docker\.io/xflops/flame-scorecard:v`+regexp.QuoteMeta(bundle.CSV.Spec.Version.String())+`$`, test.Image)
			}
		}
	}
	assert.ElementsMatch(t, []string{
		"basic-check-spec", "olm-bundle-validation", "olm-crds-have-validation",
		"olm-crds-have-resources", "olm-spec-descriptors", "olm-status-descriptors",
	}, entrypoints)
}
