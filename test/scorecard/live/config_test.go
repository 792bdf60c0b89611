// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validation"
)

// shippedConfig is the configuration in the bundle.
func shippedConfig(t *testing.T) v1alpha3.Configuration {
	t.Helper()
	config := v1alpha3.Configuration{}
	readYAML(t, "bundle/tests/scorecard/config.yaml", &config)
	return config
}

// Everything else about the configuration is checked with the bundle.
func TestConfigurationRunsEveryTest(t *testing.T) {
	var configured, wanted []string
	for _, stage := range shippedConfig(t).Stages {
		for _, test := range stage.Tests {
			if test.Entrypoint[0] != "flame-scorecard" {
				continue
			}
			configured = append(configured, test.Entrypoint[1])
			assert.Equal(t, test.Entrypoint[1]+"-test", test.Labels["test"])
		}
	}
	for _, test := range Suite().Tests {
		wanted = append(wanted, test.Name)
	}
	assert.ElementsMatch(t, wanted, configured)
}

func TestEveryTestIsExplained(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/install.md"))
	require.NoError(t, err)
	var explained, wanted []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(flamecluster-[a-z-]+)` \\| [a-z]").FindAllSubmatch(text, -1) {
		explained = append(explained, string(row[1]))
	}
	for _, test := range Suite().Tests {
		wanted = append(wanted, test.Name)
	}
	assert.Equal(t, wanted, explained, "in the order in which they are")
}

func TestNamesFitTheirClusters(t *testing.T) {
	for _, test := range Suite().Tests {
		begun := &trial{test: test.Name, example: shipped(t)}
		name := begun.draft().Name
		assert.LessOrEqual(t, len(name), 39, name)
		assert.Empty(t, validation.NameIsDNS1035Label(name, false), name)
	}
}

// The rights are written here by hand: whoever wants more has to say so.
func TestRightsDoNotGrow(t *testing.T) {
	role := &rbacv1.Role{}
	readYAML(t, "config/scorecard/rbac/role.yaml", role)
	var rights []string
	for _, rule := range role.Rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				rights = append(rights, group+"/"+resource+": "+strings.Join(rule.Verbs, " "))
			}
		}
	}
	slices.Sort(rights)
	assert.Equal(t, []string{
		"/configmaps: list",
		"/events: list",
		"/persistentvolumeclaims: delete list",
		"/pods: delete list",
		"/serviceaccounts: list",
		"/services: list",
		"apps/controllerrevisions: list",
		"apps/statefulsets: list",
		"flame.xflops.io/flameclusters/scale: get update",
		"flame.xflops.io/flameclusters: create delete get patch",
		"policy/poddisruptionbudgets: list",
	}, rights)
	binding := &rbacv1.RoleBinding{}
	readYAML(t, "config/scorecard/rbac/role_binding.yaml", binding)
	require.Len(t, binding.Subjects, 1)
	account := &corev1.ServiceAccount{}
	readYAML(t, "config/scorecard/rbac/service_account.yaml", account)
	assert.Equal(t, account.Name, binding.Subjects[0].Name)
	assert.Equal(t, role.Name, binding.RoleRef.Name)
}

// A right to one kind of what a cluster consists of is a right to list it.
func TestEveryKindOfAClusterCanBeListed(t *testing.T) {
	role := &rbacv1.Role{}
	readYAML(t, "config/scorecard/rbac/role.yaml", role)
	operator := &rbacv1.ClusterRole{}
	readYAML(t, "config/rbac/role.yaml", operator)
	var missing []string
	for _, rule := range operator.Rules {
		for _, resource := range rule.Resources {
			if slices.Contains(rule.Verbs, "create") && resource != "secrets" && resource != "events" && !canList(role, resource) {
				missing = append(missing, resource)
			}
		}
	}
	assert.Empty(t, missing, "the operator makes these: add them to kinds and to the Role")
}

func canList(role *rbacv1.Role, resource string) bool {
	return slices.ContainsFunc(role.Rules, func(rule rbacv1.PolicyRule) bool {
		return slices.Contains(rule.Resources, resource) && slices.Contains(rule.Verbs, "list")
	})
}
