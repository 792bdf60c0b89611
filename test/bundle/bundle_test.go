// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package bundle checks the OLM bundle that is shipped, without a cluster.
package bundle

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	"github.com/operator-framework/api/pkg/validation"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

const root = "../.."

func load(t *testing.T) *manifests.Bundle {
	t.Helper()
	// The root, not manifests/: only then are the channels checked, too.
	bundle, err := manifests.GetBundleFromDir(filepath.Join(root, "bundle"))
	require.NoError(t, err)
	require.NotNil(t, bundle.CSV)
	return bundle
}

func TestEveryValidatorIsSatisfied(t *testing.T) {
	bundle := load(t)
	objects := append(bundle.ObjectsToValidate(), map[string]string{"k8s-version": "1.29"})
	validators := validation.DefaultBundleValidators.WithValidators(
		validation.OperatorHubV2Validator, validation.StandardCapabilitiesValidator,
		validation.StandardCategoriesValidator, validation.AlphaDeprecatedAPIsValidator,
		validation.GoodPracticesValidator, validation.ObjectValidator)
	for _, result := range validators.Validate(objects...) {
		assert.Empty(t, result.Errors, result.Name)
		assert.Empty(t, result.Warnings, result.Name)
	}
}

// rights are all that the operator may do, written by hand: whoever has it do
// more has to say so here.
var rights = map[string][]string{
	"target namespaces": {
		"/configmaps: create get list patch watch",
		"/persistentvolumeclaims: create get list patch watch",
		"/pods: create delete get list patch watch",
		"/secrets: create delete get patch",
		"/serviceaccounts: create delete get list patch watch",
		"/services: create delete get list patch watch",
		"apps/statefulsets: create delete get list patch watch",
		"events.k8s.io/events: create patch",
		"flame.xflops.io/flameclusters/status: patch",
		"flame.xflops.io/flameclusters: get list watch",
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

func TestOnlyKindsThatInstallEverywhere(t *testing.T) {
	allowed := []string{"ClusterServiceVersion", "CustomResourceDefinition", "ClusterRole", "Role", "RoleBinding", "Service"}
	for _, object := range load(t).Objects {
		assert.Contains(t, allowed, object.GetKind(), object.GetName())
	}
	assert.NoFileExists(t, filepath.Join(root, "bundle", "metadata", "dependencies.yaml"))
}

func TestWhatOLMv1Refuses(t *testing.T) {
	csv := load(t).CSV
	assert.Empty(t, csv.Spec.APIServiceDefinitions.Owned)
	assert.Empty(t, csv.Spec.APIServiceDefinitions.Required)
	assert.Empty(t, csv.Spec.CustomResourceDefinitions.Required)
	assert.Empty(t, csv.Spec.WebhookDefinitions)
	assert.Len(t, csv.Spec.InstallStrategy.StrategySpec.DeploymentSpecs, 1)
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

func TestImagesAreTheSameEverywhere(t *testing.T) {
	csv := load(t).CSV
	containers := csv.Spec.InstallStrategy.StrategySpec.DeploymentSpecs[0].Spec.Template.Spec.Containers
	require.Len(t, containers, 1)
	image := containers[0].Image
	assert.Equal(t, image, csv.Annotations["containerImage"])
	require.Len(t, csv.Spec.RelatedImages, 1)
	assert.Equal(t, image, csv.Spec.RelatedImages[0].Image)
	assert.True(t, strings.HasSuffix(image, ":v"+csv.Spec.Version.String()), image)
	for _, variable := range containers[0].Env {
		assert.False(t, strings.HasPrefix(variable.Name, "RELATED_IMAGE_"), "the operator itself names no image")
	}
}

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
