// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

// Package e2e tests the operator on a real Kubernetes cluster, the one that
// KUBECONFIG names, with the operator deployed on it: `make test-e2e` sees to
// both. Flame's images are replaced by the stand-in's.
//
// Every test has namespaces of its own, which enforce restricted Pod Security
// and are deleted when it ends. When it fails, all that is in them is printed.
package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// Where the operator is.
const (
	operatorNamespace = "flame-operator-system"
	operatorName      = "flame-operator-controller-manager"
)

// standIn is the image that takes the place of all three of Flame's.
var standIn = "docker.io/xflops/flame-standin:v0.6.0"

// The cluster under test. kube is for what k8s has no call for: logs, exec.
var (
	config *rest.Config
	k8s    client.WithWatch
	kube   kubernetes.Interface
	// assignsUsers is true on OpenShift, which refuses pods that name a user.
	assignsUsers bool
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := connect(); err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n  make test-e2e brings up what these tests need.\n", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// connect finds the cluster, and the operator on it.
func connect() error {
	if image := os.Getenv("STANDIN_IMAGE"); image != "" {
		standIn = image
	}
	var err error
	config, err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return fmt.Errorf("find the cluster of KUBECONFIG: %w", err)
	}
	// Tests ask often, and the API server guards itself.
	config.QPS = -1
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(flamev1alpha1.AddToScheme(scheme))
	if k8s, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("reach the cluster of KUBECONFIG: %w", err)
	}
	if kube, err = kubernetes.NewForConfig(config); err != nil {
		return fmt.Errorf("reach the cluster of KUBECONFIG: %w", err)
	}
	groups, err := kube.Discovery().ServerGroups()
	if err != nil {
		return fmt.Errorf("reach the cluster of KUBECONFIG: %w", err)
	}
	assignsUsers = slices.ContainsFunc(groups.Groups, func(group metav1.APIGroup) bool {
		return group.Name == "security.openshift.io"
	})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	deployment := &appsv1.Deployment{}
	if err := k8s.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: operatorName}, deployment); err != nil {
		return fmt.Errorf("find the operator: %w", err)
	}
	return nil
}
