// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/apiserver"
	"github.com/xflops/flame-operator/test/clusters"
)

func TestWatchNamespaces(t *testing.T) {
	for name, c := range map[string]struct {
		list string
		want []string
	}{
		"nothing means all namespaces": {"", nil},
		"blanks mean all namespaces":   {" , ", nil},
		"one namespace":                {"a", []string{"a"}},
		"several namespaces":           {"a, b,c,", []string{"a", "b", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, WatchNamespaces(c.list))
		})
	}
}

// shippedRights are the rights that the operator has in its target namespaces.
func shippedRights(t *testing.T) []rbacv1.PolicyRule {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "config", "rbac", "role.yaml"))
	require.NoError(t, err)
	role := &rbacv1.ClusterRole{}
	require.NoError(t, yaml.Unmarshal(data, role))
	return role.Rules
}

// asOperator returns a configuration that has the rights shipped, in some
// namespaces and nowhere else, as OLM grants them.
func asOperator(t *testing.T, live client.Client, own string, namespaces ...string) *rest.Config {
	t.Helper()
	for _, namespace := range namespaces {
		role := &rbacv1.Role{Rules: shippedRights(t)}
		role.Name, role.Namespace = "flame-operator", namespace
		require.NoError(t, live.Create(t.Context(), role))
		binding := &rbacv1.RoleBinding{
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: own, Name: "flame-operator"}},
		}
		binding.Name, binding.Namespace = role.Name, namespace
		require.NoError(t, live.Create(t.Context(), binding))
	}
	config := rest.CopyConfig(apiserver.Config)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + own + ":flame-operator",
		Groups:   []string{"system:serviceaccounts", "system:authenticated"},
	}
	return config
}

// Install modes: what lies in a target namespace is reconciled with rights in
// that namespace alone, and what lies outside is left alone.
func TestTargetNamespaces(t *testing.T) {
	for name, c := range map[string]struct{ targets int }{
		"one target namespace":      {1},
		"several target namespaces": {2},
	} {
		t.Run(name, func(t *testing.T) {
			live := apiserver.Client(t)
			own, outside := apiserver.Namespace(t, live), apiserver.Namespace(t, live)
			var targets []string
			for range c.targets {
				targets = append(targets, apiserver.Namespace(t, live))
			}
			config := asOperator(t, live, own, targets...)
			startOperatorAs(t, config, targets)

			h := newHarness(t)
			ignored := clusters.Parse(t, clusters.Minimal)
			ignored.UID, ignored.Generation = "", 0
			ignored.Namespace = outside
			require.NoError(t, live.Create(t.Context(), ignored))
			for _, target := range targets {
				cluster := clusters.Parse(t, clusters.Minimal)
				cluster.UID, cluster.Generation = "", 0
				cluster.Namespace = target
				require.NoError(t, live.Create(t.Context(), cluster))
				h.eventually("it is reconciled in its target namespace", func() bool {
					require.NoError(t, live.Get(t.Context(), client.ObjectKeyFromObject(cluster), cluster))
					return cluster.Status.ObservedGeneration == cluster.Generation
				})
			}
			require.NoError(t, live.Get(t.Context(), client.ObjectKeyFromObject(ignored), ignored))
			assert.Empty(t, ignored.Status.State, "what lies outside is left alone")

			operator, err := client.New(config, client.Options{Scheme: apiserver.Scheme(t)})
			require.NoError(t, err)
			err = operator.List(t.Context(), &flamev1alpha1.FlameClusterList{}, client.InNamespace(outside))
			assert.True(t, apierrors.IsForbidden(err), "there is no right outside: %v", err)
			err = operator.List(t.Context(), &corev1.PodList{}, client.InNamespace(own))
			assert.True(t, apierrors.IsForbidden(err), "nor in the operator's own namespace: %v", err)
		})
	}
}

// startOperatorAs returns a function that stops the operator, which the end of the test
// does otherwise.
func startOperatorAs(t *testing.T, config *rest.Config, namespaces []string) (stop func()) {
	t.Helper()
	skipNames := true // Controllers of several managers in one process share a name.
	options := ctrl.Options{
		Scheme: apiserver.Scheme(t), Cache: CacheOptions(namespaces), Client: ClientOptions(),
		Metrics: server.Options{BindAddress: "0"},
	}
	options.Controller.SkipNameValidation = &skipNames
	mgr, err := ctrl.NewManager(config, options)
	require.NoError(t, err)
	require.NoError(t, Setup(mgr, types.NamespacedName{}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- mgr.Start(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return stop
}
