// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build olm

// Package olm tests the operator as the Operator Lifecycle Manager installs,
// updates and removes it, on a real Kubernetes cluster: `make test-olm` brings up
// the local one, builds OLM from source and runs these tests inside the node's
// network, where OLM and the catalog that it reads run beside them.
//
// One test after the other has the whole cluster: an operator that watches all
// namespaces leaves no room for another.
package olm

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	operatorsv1 "github.com/operator-framework/api/pkg/operators/v1"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	operatorsv2 "github.com/operator-framework/api/pkg/operators/v2"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xflops/flame-operator/test/live"
)

// What hack/test-olm prepares: programs in bin, OLM's CRDs in crds, the bundles of
// all releases and of the version under test in bundles, and in catalog one that
// holds them. Logs go to logs.
var (
	dir = os.Getenv("OLM_DIR")
	// oldVersion is the release before version, which is under test.
	oldVersion, version = os.Getenv("FROM_VERSION"), os.Getenv("VERSION")
)

// The cluster under test, and what these tests say most often of it.
var (
	cluster *live.Kubernetes
	k8s     client.WithWatch

	eventually, steadily = live.Eventually, live.Steadily
	replicas             = live.Replicas
)

func TestMain(m *testing.M) {
	flag.Parse()
	status, err := run(m)
	if err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n  make test-olm brings up what these tests need.\n", err)
		status = 1
	}
	os.Exit(status)
}

func run(m *testing.M) (status int, err error) {
	if dir == "" || oldVersion == "" || version == "" {
		return 0, errors.New("OLM_DIR, FROM_VERSION and VERSION are not set")
	}
	cluster, err = live.Connect(operatorsv1alpha1.AddToScheme, operatorsv1.AddToScheme, operatorsv2.AddToScheme, apiextensionsv1.AddToScheme)
	if err != nil {
		return 0, err
	}
	k8s = cluster.Client
	// A run that was ended from outside has left everything behind.
	if err := cluster.Sweep(leftovers); err != nil {
		return 0, fmt.Errorf("remove what an earlier run left: %w", err)
	}
	if err := installOLM(); err != nil {
		return 0, fmt.Errorf("install OLM: %w", err)
	}
	defer func() {
		processes.StopAll()
		err = errors.Join(err, cluster.Sweep(leftovers))
	}()
	if err := startOLM(); err != nil {
		return 0, err
	}
	if _, err := serveCatalog(catalogName, filepath.Join(dir, "catalog"), catalogPort); err != nil {
		return 0, err
	}
	return m.Run(), nil
}
