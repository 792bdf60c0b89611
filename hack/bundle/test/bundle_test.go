// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package bundle checks the OLM bundle that is shipped, without a cluster. The files are
// not in its module, so go test does not notice that they change: run it with -count=1, as
// make test does.
package bundle

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	"github.com/operator-framework/api/pkg/validation"
	interfaces "github.com/operator-framework/api/pkg/validation/interfaces"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

const root = "../../.."

// shipped is a bundle and the folder that it is in.
type shipped struct {
	*manifests.Bundle
	dir string
}

func load(t *testing.T) shipped {
	t.Helper()
	return loadFrom(t, "bundle")
}

func loadFrom(t *testing.T, dir string) shipped {
	t.Helper()
	dir = filepath.Join(root, dir)
	// The root, not manifests/: only then are the channels checked, too.
	bundle, err := manifests.GetBundleFromDir(dir)
	require.NoError(t, err)
	require.NotNil(t, bundle.CSV)
	return shipped{bundle, dir}
}

// everyBundle runs a test on the bundle and on that of every release.
func everyBundle(t *testing.T, test func(*testing.T, shipped)) {
	t.Helper()
	dirs := []string{"bundle"}
	for _, release := range released(t).Releases {
		dirs = append(dirs, filepath.Join("catalog/releases", release.Version))
	}
	for _, dir := range dirs {
		t.Run(dir, func(t *testing.T) { test(t, loadFrom(t, dir)) })
	}
}

// offline are all validators of operator-framework/api but one, which pulls images.
// The check that needs bundle.Dockerfile finds its path under the key index-path.
var offline = interfaces.Validators{
	validation.PackageManifestValidator, validation.ClusterServiceVersionValidator,
	validation.CustomResourceDefinitionValidator, validation.BundleValidator,
	validation.OperatorHubV2Validator, validation.StandardCategoriesValidator, validation.StandardCapabilitiesValidator,
	validation.ObjectValidator, validation.OperatorGroupValidator,
	validation.CommunityOperatorValidator,
	validation.AlphaDeprecatedAPIsValidator, validation.GoodPracticesValidator,
}

func TestNoValidatorIsLeftOut(t *testing.T) {
	// Functions cannot be compared, only counted. The one more pulls images.
	assert.Len(t, validation.AllValidators, len(offline)+1)
}

func TestEveryValidatorIsSatisfied(t *testing.T) {
	everyBundle(t, func(t *testing.T, bundle shipped) {
		minimum := bundle.CSV.Spec.MinKubeVersion
		objects := append(bundle.ObjectsToValidate(), map[string]string{
			"k8s-version": minimum[:strings.LastIndex(minimum, ".")],
			"index-path":  filepath.Join(root, "bundle.Dockerfile"),
		})
		for _, result := range offline.Validate(objects...) {
			assert.Empty(t, result.Errors, result.Name)
			assert.Empty(t, result.Warnings, result.Name)
		}
	})
}

// rights are all that the operator may do, written by hand: whoever has it do
// more has to say so here.
var rights = map[string][]string{
	"target namespaces": {
		"/configmaps: create delete get list patch watch",
		"/persistentvolumeclaims: create delete get list patch watch",
		"/pods/status: patch",
		"/pods: create delete get list patch watch",
		"/secrets: create delete get patch",
		"/serviceaccounts: create delete get list patch watch",
		"/services: create delete get list patch watch",
		// The last valid spec.
		"apps/controllerrevisions: create delete get list patch watch",
		"apps/statefulsets: create delete get list patch watch",
		// A claim that waits for its volume is told in the words of its provisioner, and
		// those stand in events only.
		"events.k8s.io/events: create list patch",
		"flame.xflops.io/flameclusters/status: patch",
		"flame.xflops.io/flameclusters: get list watch",
		"policy/poddisruptionbudgets: create delete get list patch watch",
	},
	"cluster": {
		"authentication.k8s.io/tokenreviews: create",
		"authorization.k8s.io/subjectaccessreviews: create",
	},
	"own namespace": {
		"/events: create patch",
		"coordination.k8s.io/leases: create get update",
		"events.k8s.io/events: create patch",
	},
}

func flat(t *testing.T, rules []rbacv1.PolicyRule) []string {
	t.Helper()
	var list []string
	for _, rule := range rules {
		assert.Empty(t, rule.NonResourceURLs)
		slices.Sort(rule.Verbs)
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				list = append(list, group+"/"+resource+": "+strings.Join(rule.Verbs, " "))
			}
		}
	}
	slices.Sort(list)
	return list
}

func TestRightsDoNotGrow(t *testing.T) {
	bundle := load(t)
	spec := bundle.CSV.Spec.InstallStrategy.StrategySpec
	require.Len(t, spec.Permissions, 1)
	require.Len(t, spec.ClusterPermissions, 1)
	assert.Equal(t, rights["target namespaces"], flat(t, spec.Permissions[0].Rules))
	assert.Equal(t, rights["cluster"], flat(t, spec.ClusterPermissions[0].Rules))
	leases := &rbacv1.Role{}
	for _, object := range bundle.Objects {
		if object.GetKind() == "Role" {
			require.Empty(t, leases.Name, "one Role only")
			require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, leases))
		}
	}
	assert.Equal(t, rights["own namespace"], flat(t, leases.Rules))

	for file, want := range map[string]string{
		"role.yaml": "target namespaces", "metrics_auth_role.yaml": "cluster", "leader_election_role.yaml": "own namespace",
	} {
		role := &rbacv1.ClusterRole{}
		data, err := os.ReadFile(filepath.Join(root, "config", "rbac", file))
		require.NoError(t, err)
		require.NoError(t, yaml.Unmarshal(data, role))
		assert.Equal(t, rights[want], flat(t, role.Rules), file)
	}
}

func TestAllInstallModesOnce(t *testing.T) {
	modes := map[v1alpha1.InstallModeType]int{}
	for _, mode := range load(t).CSV.Spec.InstallModes {
		assert.True(t, mode.Supported, mode.Type)
		modes[mode.Type]++
	}
	assert.Equal(t, map[v1alpha1.InstallModeType]int{
		v1alpha1.InstallModeTypeOwnNamespace: 1, v1alpha1.InstallModeTypeSingleNamespace: 1,
		v1alpha1.InstallModeTypeMultiNamespace: 1, v1alpha1.InstallModeTypeAllNamespaces: 1,
	}, modes)
}
