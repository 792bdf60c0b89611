// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// installer reads the rights that config/olm-v1 gives to OLM v1: in the whole
// cluster, and in the operator's namespace.
func installer(t *testing.T) (cluster, namespace []rbacv1.PolicyRule) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "config/olm-v1/installer.yaml"))
	require.NoError(t, err)
	documents := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		// A Role holds the same rules under the same key.
		role := rbacv1.ClusterRole{}
		err := documents.Decode(&role)
		if errors.Is(err, io.EOF) {
			return cluster, namespace
		}
		require.NoError(t, err)
		switch role.Kind {
		case "ClusterRole":
			cluster = append(cluster, role.Rules...)
		case "Role":
			namespace = append(namespace, role.Rules...)
		}
	}
}

// right is a verb on a resource, on a single object of it if name is given, or on a URL.
type right struct{ verb, group, resource, name, url string }

// rightsOf takes rules apart.
func rightsOf(rules []rbacv1.PolicyRule) (list []right) {
	for _, rule := range rules {
		for _, verb := range rule.Verbs {
			for _, url := range rule.NonResourceURLs {
				list = append(list, right{verb: verb, url: url})
			}
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					list = append(list, right{verb: verb, group: group, resource: resource})
				}
			}
		}
	}
	return list
}

// allows reports whether rules grant a right, without wildcards, which they are not to use.
func allows(rules []rbacv1.PolicyRule, wanted right) bool {
	return slices.ContainsFunc(rules, func(rule rbacv1.PolicyRule) bool {
		if !slices.Contains(rule.Verbs, wanted.verb) {
			return false
		}
		if wanted.url != "" {
			return slices.Contains(rule.NonResourceURLs, wanted.url)
		}
		return slices.Contains(rule.APIGroups, wanted.group) && slices.Contains(rule.Resources, wanted.resource) &&
			(len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, wanted.name))
	})
}

// kinds are those in a bundle, and those that OLM v1 makes of the CSV.
var kinds = map[string]struct {
	group, resource string
	namespaced      bool
}{
	"CustomResourceDefinition": {"apiextensions.k8s.io", "customresourcedefinitions", false},
	"ClusterRole":              {"rbac.authorization.k8s.io", "clusterroles", false},
	"ClusterRoleBinding":       {"rbac.authorization.k8s.io", "clusterrolebindings", false},
	"Role":                     {"rbac.authorization.k8s.io", "roles", true},
	"RoleBinding":              {"rbac.authorization.k8s.io", "rolebindings", true},
	"Service":                  {"", "services", true},
	"ServiceAccount":           {"", "serviceaccounts", true},
	"Deployment":               {"apps", "deployments", true},
}

// needs are the rights that it takes to install a bundle for all namespaces: to
// manage each object, and to have what is granted by it.
type needs struct{ cluster, namespace []right }

func (n *needs) manage(t *testing.T, kind, name string) {
	t.Helper()
	known, found := kinds[kind]
	require.Truef(t, found, "which rights does a %s need?", kind)
	for _, verb := range []string{"create", "delete", "get", "list", "patch", "update", "watch"} {
		wanted := right{verb: verb, group: known.group, resource: known.resource, name: name}
		// It watches what it has installed in all namespaces at once.
		if known.namespaced && verb != "list" && verb != "watch" {
			n.namespace = append(n.namespace, wanted)
		} else {
			n.cluster = append(n.cluster, wanted)
		}
	}
}

func needsOf(t *testing.T, bundle shipped) (n needs) {
	t.Helper()
	// OLM v1 adds the first to the rights in the target namespaces.
	granted := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get", "list", "watch"}}}
	strategy := bundle.CSV.Spec.InstallStrategy.StrategySpec
	for _, permissions := range append(strategy.Permissions, strategy.ClusterPermissions...) {
		granted = append(granted, permissions.Rules...)
	}
	n.cluster = rightsOf(granted)
	for _, kind := range []string{"ClusterRole", "ClusterRoleBinding", "ServiceAccount", "Deployment"} {
		n.manage(t, kind, "")
	}
	for _, object := range bundle.Objects {
		role := rbacv1.ClusterRole{}
		switch object.GetKind() {
		case "ClusterServiceVersion":
			continue
		case "ClusterRole", "Role":
			require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role))
		}
		n.manage(t, object.GetKind(), object.GetName())
		if object.GetKind() == "Role" {
			n.namespace = append(n.namespace, rightsOf(role.Rules)...)
		} else {
			n.cluster = append(n.cluster, rightsOf(role.Rules)...)
		}
	}
	return n
}

// TestOLMv1MayInstallEveryBundle compares the rights in config/olm-v1 with what the
// bundles hold: Kubernetes lets nobody grant what they may not do themselves.
func TestOLMv1MayInstallEveryBundle(t *testing.T) {
	cluster, namespace := installer(t)
	everyBundle(t, func(t *testing.T, bundle shipped) {
		needed := needsOf(t, bundle)
		for _, wanted := range needed.cluster {
			assert.Truef(t, allows(cluster, wanted), "in the cluster: %+v", wanted)
		}
		for _, wanted := range needed.namespace {
			assert.Truef(t, allows(append(cluster, namespace...), wanted), "in the namespace: %+v", wanted)
		}
	})
}

func TestOLMv1MayDoNothingElse(t *testing.T) {
	cluster, namespace := installer(t)
	needed := needsOf(t, load(t))
	// What is installed belongs to the ClusterExtension.
	needed.cluster = append(needed.cluster, right{verb: "update", group: "olm.operatorframework.io", resource: "clusterextensions/finalizers"})
	for where, list := range map[string][2][]right{
		"cluster": {rightsOf(cluster), needed.cluster}, "namespace": {rightsOf(namespace), needed.namespace},
	} {
		for _, granted := range list[0] {
			assert.Truef(t, slices.ContainsFunc(list[1], func(wanted right) bool {
				wanted.name = ""
				return wanted == granted
			}), "nothing needs this in the %s: %+v", where, granted)
		}
	}
}
