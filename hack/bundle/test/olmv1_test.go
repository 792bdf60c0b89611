// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"fmt"
	"slices"
	"testing"

	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
)

// supported are the kinds that both OLMs install everywhere. Others they know as
// well, such as ServiceMonitor, fail the whole installation where their API is
// missing; a NetworkPolicy fails it on an OLM before 0.32.
var supported = []string{
	"ClusterServiceVersion", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "ConfigMap",
	"PodDisruptionBudget", "PriorityClass", "Role", "RoleBinding", "Secret", "Service", "ServiceAccount",
}

// olmV1 is what OLM v1 would say against a bundle: its own validators cannot be
// imported. Those of webhooks come down to one, since there is to be none.
func olmV1(bundle *manifests.Bundle) (complaints []string) {
	complain := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	spec := bundle.CSV.Spec
	if bundle.Package == "" {
		complain("the package has no name")
	}
	deployments := map[string]bool{}
	for _, deployment := range spec.InstallStrategy.StrategySpec.DeploymentSpecs {
		if deployments[deployment.Name] {
			complain("two Deployments are named %s", deployment.Name)
		}
		deployments[deployment.Name] = true
		for _, problem := range validation.IsDNS1123Subdomain(deployment.Name) {
			complain("Deployment %s: %s", deployment.Name, problem)
		}
	}
	for _, object := range bundle.Objects {
		if !slices.Contains(supported, object.GetKind()) {
			complain("%s %s is not installed everywhere", object.GetKind(), object.GetName())
		}
	}
	if !slices.Contains(spec.InstallModes, v1alpha1.InstallMode{Type: v1alpha1.InstallModeTypeAllNamespaces, Supported: true}) {
		complain("it does not support AllNamespaces, the mode of OLM v1")
	}
	return append(complaints, olmV1APIs(bundle)...)
}

// olmV1APIs is what it would say against the APIs that a bundle owns and needs.
func olmV1APIs(bundle *manifests.Bundle) (complaints []string) {
	complain := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	spec := bundle.CSV.Spec
	crds := map[string]bool{}
	for _, crd := range bundle.V1CRDs {
		if crds[crd.Name] {
			complain("two CRDs are named %s", crd.Name)
		}
		crds[crd.Name] = true
		if crd.Spec.Conversion != nil && crd.Spec.Conversion.Strategy == apiextensionsv1.WebhookConverter {
			complain("CRD %s is converted by a webhook, which allows one install mode only", crd.Name)
		}
	}
	for _, owned := range spec.CustomResourceDefinitions.Owned {
		if !crds[owned.Name] {
			complain("the owned CRD %s is missing", owned.Name)
		}
	}
	if len(spec.CustomResourceDefinitions.Required)+len(spec.APIServiceDefinitions.Required)+len(bundle.Dependencies) > 0 {
		complain("it depends on other operators")
	}
	if len(spec.APIServiceDefinitions.Owned) > 0 {
		complain("it owns API services")
	}
	if len(spec.WebhookDefinitions) > 0 {
		complain("it has webhooks")
	}
	return complaints
}

func TestOLMv1TakesEveryBundle(t *testing.T) {
	everyBundle(t, func(t *testing.T, bundle shipped) { assert.Empty(t, olmV1(bundle.Bundle)) })
}

func TestWhatOLMv1Refuses(t *testing.T) {
	for want, spoil := range map[string]func(*manifests.Bundle, *v1alpha1.ClusterServiceVersionSpec){
		"the package has no name": func(b *manifests.Bundle, _ *v1alpha1.ClusterServiceVersionSpec) { b.Package = "" },
		"two Deployments are named flame-operator-controller-manager": func(_ *manifests.Bundle, s *v1alpha1.ClusterServiceVersionSpec) {
			list := &s.InstallStrategy.StrategySpec.DeploymentSpecs
			*list = append(*list, (*list)[0])
		},
		"Deployment Big: a lowercase RFC 1123 subdomain": func(_ *manifests.Bundle, s *v1alpha1.ClusterServiceVersionSpec) {
			s.InstallStrategy.StrategySpec.DeploymentSpecs[0].Name = "Big"
		},
		"two CRDs are named flameclusters.flame.xflops.io": func(b *manifests.Bundle, _ *v1alpha1.ClusterServiceVersionSpec) {
			b.V1CRDs = append(b.V1CRDs, b.V1CRDs[0])
		},
		"the owned CRD flameclusters.flame.xflops.io is missing": func(b *manifests.Bundle, _ *v1alpha1.ClusterServiceVersionSpec) { b.V1CRDs = nil },
		"is converted by a webhook": func(b *manifests.Bundle, _ *v1alpha1.ClusterServiceVersionSpec) {
			b.V1CRDs[0].Spec.Conversion = &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.WebhookConverter}
		},
		"it depends on other operators": func(_ *manifests.Bundle, s *v1alpha1.ClusterServiceVersionSpec) {
			s.CustomResourceDefinitions.Required = []v1alpha1.CRDDescription{{Name: "certificates.cert-manager.io"}}
		},
		"it owns API services": func(_ *manifests.Bundle, s *v1alpha1.ClusterServiceVersionSpec) {
			s.APIServiceDefinitions.Owned = []v1alpha1.APIServiceDescription{{Name: "v1.flame"}}
		},
		"it has webhooks": func(_ *manifests.Bundle, s *v1alpha1.ClusterServiceVersionSpec) {
			s.WebhookDefinitions = []v1alpha1.WebhookDescription{{GenerateName: "w"}}
		},
		"ServiceMonitor m is not installed everywhere": func(b *manifests.Bundle, _ *v1alpha1.ClusterServiceVersionSpec) {
			b.Objects = append(b.Objects, &unstructured.Unstructured{Object: map[string]any{"kind": "ServiceMonitor", "metadata": map[string]any{"name": "m"}}})
		},
		"it does not support AllNamespaces": func(_ *manifests.Bundle, s *v1alpha1.ClusterServiceVersionSpec) { s.InstallModes = s.InstallModes[:3] },
	} {
		t.Run(want, func(t *testing.T) {
			bundle := load(t)
			spoil(bundle.Bundle, &bundle.CSV.Spec)
			complaints := olmV1(bundle.Bundle)
			require.Len(t, complaints, 1)
			assert.Contains(t, complaints[0], want)
		})
	}
}
