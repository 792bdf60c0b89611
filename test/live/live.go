// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package live is what tests share that run on a real Kubernetes cluster with a
// real operator: FlameClusters to make and to watch, clients of their session
// managers, and words for what must come true or stay true.
//
// Flame's images are replaced by the stand-in's. Every test has namespaces of
// its own, which enforce restricted Pod Security and are deleted when it ends.
// When it fails, all that is in them is printed.
package live

import (
	"fmt"
	"os"
	"slices"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// Kubernetes is the cluster that KUBECONFIG names.
type Kubernetes struct {
	Config *rest.Config
	Client client.WithWatch
	// Set is for what Client has no call for: logs, exec.
	Set kubernetes.Interface
	// StandIn is the image that takes the place of all three of Flame's:
	// STANDIN_IMAGE, or what hack/images makes by default.
	StandIn string
	// AssignsUsers is true on OpenShift, which refuses pods that name a user.
	AssignsUsers bool
}

// Connect reaches the cluster of KUBECONFIG. The client knows Kubernetes' own types,
// FlameClusters and the types that register adds.
func Connect(register ...func(*runtime.Scheme) error) (*Kubernetes, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster of KUBECONFIG: %w", err)
	}
	// The logs of clients are discarded, because nobody reads them.
	ctrl.SetLogger(logr.Discard())
	// Tests ask often, and the API server guards itself.
	config.QPS = -1
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(flamev1alpha1.AddToScheme(scheme))
	for _, add := range register {
		utilruntime.Must(add(scheme))
	}
	k := &Kubernetes{Config: config, StandIn: "docker.io/xflops/flame-standin:v0.6.0"}
	if image := os.Getenv("STANDIN_IMAGE"); image != "" {
		k.StandIn = image
	}
	if k.Set, err = kubernetes.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("reach the cluster of KUBECONFIG: %w", err)
	}
	groups, err := k.Set.Discovery().ServerGroups()
	if err != nil {
		return nil, fmt.Errorf("reach the cluster of KUBECONFIG: %w", err)
	}
	k.AssignsUsers = slices.ContainsFunc(groups.Groups, func(group metav1.APIGroup) bool {
		return group.Name == "security.openshift.io"
	})
	if k.Client, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return nil, fmt.Errorf("reach the cluster of KUBECONFIG: %w", err)
	}
	return k, nil
}
