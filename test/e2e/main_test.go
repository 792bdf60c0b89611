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
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xflops/flame-operator/test/live"
)

// Where the operator is.
const (
	operatorNamespace = "flame-operator-system"
	operatorName      = "flame-operator-controller-manager"
)

// The cluster under test, and what these tests say most often of it.
var (
	cluster *live.Kubernetes
	k8s     client.WithWatch
	standIn string

	eventually, steadily, mentions = live.Eventually, live.Steadily, live.Mentions
	replicas, requests, claim      = live.Replicas, live.Requests, live.Claim
	withCache, withClaim           = live.WithCache, live.WithClaim
)

type (
	change = live.Change
	uids   = live.UIDs
)

// flameCluster is a FlameCluster under test.
type flameCluster struct{ live.Cluster }

// nowhere is a label that no node has.
var nowhere = map[string]string{"flame.xflops.io/e2e": "nowhere"}

func newNamespace(t *testing.T) string {
	t.Helper()
	return cluster.NewNamespace(t)
}

func create(t *testing.T, namespace, name string, changes ...change) flameCluster {
	t.Helper()
	return flameCluster{cluster.Create(t, namespace, name, changes...)}
}

func TestMain(m *testing.M) {
	flag.Parse()
	if err := connect(); err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n  make test-e2e brings up what these tests need.\n", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// connect finds the cluster, and the operator on it.
func connect() (err error) {
	if cluster, err = live.Connect(); err != nil {
		return err
	}
	k8s, standIn = cluster.Client, cluster.StandIn
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	deployment := &appsv1.Deployment{}
	if err := k8s.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: operatorName}, deployment); err != nil {
		return fmt.Errorf("find the operator: %w", err)
	}
	return nil
}
