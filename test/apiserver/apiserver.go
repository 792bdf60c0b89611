// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package apiserver runs a real kube-apiserver and etcd for tests, with the CRD
// that is shipped.
package apiserver

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/config/crd"
)

// Config reaches the API server while Run runs the tests.
var Config *rest.Config

// Run starts the API server, runs the tests of a package and returns their exit code. A
// TestMain calls Run.
func Run(m *testing.M) int {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		fmt.Fprintln(os.Stderr, "KUBEBUILDER_ASSETS names no folder with kube-apiserver and etcd: run the tests with make test, or build both with cd hack/localcluster && go run . assets")
		return 1
	}
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(crd.FlameClusters, definition); err != nil {
		fmt.Fprintln(os.Stderr, "read the CRD:", err)
		return 1
	}
	server := &envtest.Environment{}
	server.CRDInstallOptions.CRDs = []*apiextensionsv1.CustomResourceDefinition{definition}
	server.ControlPlane.Etcd = &envtest.Etcd{}
	server.ControlPlane.Etcd.Configure().Append("unsafe-no-fsync", "true")
	// A Service for each cluster of each test takes more addresses than the usual 254.
	server.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.0.0.0/16")
	// As on OpenShift, changing the owners of an object takes the right to delete it. The
	// tests' API server may not be more lenient than that.
	server.ControlPlane.GetAPIServer().Configure().Append("enable-admission-plugins", "OwnerReferencesPermissionEnforcement")
	// The API server has enough memory for as long as it runs, and would spend a fifth of
	// its time on collecting garbage otherwise. The test process itself has read the
	// variable already.
	if err := os.Setenv("GOGC", "400"); err != nil {
		fmt.Fprintln(os.Stderr, "have the API server collect less garbage:", err)
		return 1
	}
	var err error
	if Config, err = server.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "start the API server:", err)
		return 1
	}
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the API server:", err)
		return 1
	}
	return code
}

// Scheme knows what the operator handles.
func Scheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, clientgoscheme.AddToScheme(scheme))
	require.NoError(t, flamev1alpha1.AddToScheme(scheme))
	return scheme
}

// Client talks to the API server without a cache.
func Client(t testing.TB) client.Client {
	t.Helper()
	c, err := client.New(Config, client.Options{Scheme: Scheme(t)})
	require.NoError(t, err)
	return c
}

// Namespace creates a namespace of a test's own.
func Namespace(t testing.TB, c client.Client) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	require.NoError(t, c.Create(t.Context(), namespace))
	return namespace.Name
}
