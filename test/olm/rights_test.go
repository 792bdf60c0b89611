// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build olm

package olm

import (
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// right is what may be done with a resource, as "group/resource: verb".
type right = string

func rightTo(group, resource, verb string) right { return group + "/" + resource + ": " + verb }

// verbs are all that there are, but for those of special resources.
var verbs = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}

// asOperator returns a client with a token of the operator's ServiceAccount.
func (i installation) asOperator(t *testing.T) client.Client {
	t.Helper()
	request := &authenticationv1.TokenRequest{}
	request, err := cluster.Set.CoreV1().ServiceAccounts(i.namespace).CreateToken(t.Context(), deploymentName, request, metav1.CreateOptions{})
	require.NoError(t, err)
	config := rest.AnonymousClientConfig(cluster.Config)
	config.BearerToken, config.QPS = request.Status.Token, -1
	operator, err := client.New(config, client.Options{Scheme: k8s.Scheme()})
	require.NoError(t, err)
	return operator
}

// ownRights are those that the operator has in its own namespace only, beside
// that to its OperatorCondition, which is by name: those to its lease.
var ownRights = rightsOf([]rbacv1.PolicyRule{
	{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"create", "get", "update"}},
	{APIGroups: []string{"", "events.k8s.io"}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
})

// assertRights asks as the operator, for every verb on every resource that the
// cluster serves. In its targets it may do what its CSV asks for, in its own
// namespace it also has its lease, and elsewhere it may do nothing.
func (i installation) assertRights(t *testing.T, targets []string, outside string) {
	t.Helper()
	operator, resources := i.asOperator(t), namespacedResources(t)
	csv, err := i.csv(t.Context(), version)
	require.NoError(t, err)
	var asked []right
	for _, permission := range csv.Spec.InstallStrategy.StrategySpec.Permissions {
		asked = append(asked, rightsOf(permission.Rules)...)
	}
	require.NotEmpty(t, asked)
	for _, target := range targets {
		if target != i.namespace {
			assert.Equal(t, sorted(asked), rightsIn(t, operator, target, resources), "rights in its target %s", target)
		}
	}
	assert.Equal(t, sorted(asked, ownRights), rightsIn(t, operator, i.namespace, resources), "rights in its own namespace")
	assert.Empty(t, rightsIn(t, operator, outside, resources), "rights outside")
}

func sorted(rights ...[]right) []right {
	all := slices.Concat(rights...)
	slices.Sort(all)
	return slices.Compact(all)
}

func rightsOf(rules []rbacv1.PolicyRule) []right {
	var rights []right
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					rights = append(rights, rightTo(group, resource, verb))
				}
			}
		}
	}
	return rights
}

// rightsIn returns all rights that a client has in a namespace.
func rightsIn(t *testing.T, who client.Client, namespace string, resources []authorizationv1.ResourceAttributes) []right {
	t.Helper()
	reviews := make(chan *authorizationv1.SelfSubjectAccessReview)
	var mu sync.Mutex
	var rights []right
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for review := range reviews {
				asked := *review.Spec.ResourceAttributes
				if !assert.NoError(t, who.Create(t.Context(), review)) || !review.Status.Allowed {
					continue
				}
				mu.Lock()
				rights = append(rights, rightTo(asked.Group, path.Join(asked.Resource, asked.Subresource), asked.Verb))
				mu.Unlock()
			}
		})
	}
	for _, resource := range resources {
		for _, verb := range verbs {
			review := &authorizationv1.SelfSubjectAccessReview{}
			review.Spec.ResourceAttributes = resource.DeepCopy()
			review.Spec.ResourceAttributes.Namespace, review.Spec.ResourceAttributes.Verb = namespace, verb
			reviews <- review
		}
	}
	close(reviews)
	asking.Wait()
	return sorted(rights)
}

// namespacedResources returns every resource and subresource that is served.
func namespacedResources(t *testing.T) []authorizationv1.ResourceAttributes {
	t.Helper()
	_, lists, err := cluster.Set.Discovery().ServerGroupsAndResources()
	require.NoError(t, err)
	var found []authorizationv1.ResourceAttributes
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		require.NoError(t, err)
		for _, resource := range list.APIResources {
			if resource.Namespaced {
				name, subresource, _ := strings.Cut(resource.Name, "/")
				attributes := authorizationv1.ResourceAttributes{Group: version.Group, Resource: name, Subresource: subresource}
				if !slices.Contains(found, attributes) {
					found = append(found, attributes)
				}
			}
		}
	}
	return found
}
