// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// operatorNamespace is where the operator's lease is.
const operatorNamespace = "flame-operator-system"

// server is a kube-apiserver with an etcd that does not wait for the disk. No
// controller and no kubelet runs beside it.
type server struct {
	environment *envtest.Environment
	dir         string
	config      *rest.Config
	client      client.WithWatch
	// kubeconfig is the file with which the operator reaches it.
	kubeconfig string
}

// startServer starts an API server that keeps its files in dir.
func startServer(ctx context.Context, dir string, arguments map[string]string) (*server, error) {
	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	environment.ControlPlane.Etcd = &envtest.Etcd{}
	environment.ControlPlane.Etcd.Configure().Append("unsafe-no-fsync", "true")
	flags := environment.ControlPlane.GetAPIServer().Configure()
	// Every cluster has Services, and the default range ends at 254.
	flags.Set("service-cluster-ip-range", "10.0.0.0/16")
	for name, value := range arguments {
		flags.Set(name, value)
	}
	config, err := environment.Start()
	if err != nil {
		return nil, fmt.Errorf("start the API server: %w", err)
	}
	s := &server{environment: environment, dir: dir, config: config, kubeconfig: filepath.Join(dir, "kubeconfig")}
	if err := s.prepare(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) prepare(ctx context.Context) error {
	// Nothing but the API server itself shall slow anybody down.
	s.config.QPS = -1
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, flamev1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	var err error
	if s.client, err = client.NewWithWatch(s.config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	user, err := s.environment.AddUser(envtest.User{Name: operatorUser, Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return fmt.Errorf("add the operator's user: %w", err)
	}
	kubeconfig, err := user.KubeConfig()
	if err != nil {
		return fmt.Errorf("make the operator's kubeconfig: %w", err)
	}
	if err := os.WriteFile(s.kubeconfig, kubeconfig, 0o600); err != nil {
		return err
	}
	return s.namespace(ctx, operatorNamespace)
}

func (s *server) namespace(ctx context.Context, name string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := s.client.Create(ctx, namespace); err != nil {
		return fmt.Errorf("create Namespace %q: %w", name, err)
	}
	return nil
}

func (s *server) stop() {
	if err := s.environment.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the API server:", err)
	}
}

// cluster is a FlameCluster with an object cache left out, which Kubernetes'
// own controllers would have to run.
func cluster(namespace, name string, executors int32) *flamev1alpha1.FlameCluster {
	return &flamev1alpha1.FlameCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: flamev1alpha1.FlameClusterSpec{
			SessionManager:  flamev1alpha1.SessionManagerSpec{Image: "docker.io/xflops/flame-session-manager:v0.6.0"},
			ExecutorManager: flamev1alpha1.ExecutorManagerSpec{Image: "docker.io/xflops/flame-executor-manager:v0.6.0", Replicas: &executors},
		},
	}
}

func (s *server) create(ctx context.Context, object client.Object) error {
	if err := s.client.Create(ctx, object); err != nil {
		return fmt.Errorf("create %q: %w", object.GetName(), err)
	}
	return nil
}

// edit changes the spec of a FlameCluster.
func (s *server) edit(ctx context.Context, cluster *flamev1alpha1.FlameCluster, change func(*flamev1alpha1.FlameClusterSpec)) error {
	before := cluster.DeepCopy()
	change(&cluster.Spec)
	if err := s.client.Patch(ctx, cluster, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("change FlameCluster %q: %w", cluster.Name, err)
	}
	return nil
}
