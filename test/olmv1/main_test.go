// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build olm

// Package olmv1 tests the operator as OLM v1 installs, updates and removes it, on a
// real Kubernetes cluster: `make test-olm-v1` brings up the local one, builds OLM v1
// from source and runs these tests inside the node's network, where OLM v1 and a
// registry with the catalog and the bundles run beside them.
//
// OLM v1 is given the rights in config/olm-v1 and no others.
package olmv1

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xflops/flame-operator/test/live"
)

// What hack/test-olm-v1 prepares: programs in bin, OLM v1's CRDs in crds, the
// bundles of all releases and of the version under test in bundles, and in catalog
// one that names their images. Logs go to logs.
var (
	dir = os.Getenv("OLM_DIR")
	// oldVersion is the release before version, which is under test.
	oldVersion, version = os.Getenv("FROM_VERSION"), os.Getenv("VERSION")
)

// The cluster under test.
var (
	cluster *live.Kubernetes
	k8s     client.WithWatch
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Processes are told to end when the thread that started them ends.
	runtime.LockOSThread()
	status, err := run(m)
	if err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n  make test-olm-v1 brings up what these tests need.\n", err)
		status = 1
	}
	os.Exit(status)
}

func run(m *testing.M) (status int, err error) {
	if dir == "" || oldVersion == "" || version == "" {
		return 0, errors.New("OLM_DIR, FROM_VERSION and VERSION are not set")
	}
	if cluster, err = live.Connect(apiextensionsv1.AddToScheme); err != nil {
		return 0, err
	}
	k8s = cluster.Client
	// A run that was ended from outside has left everything behind.
	if err := cluster.Sweep(leftovers); err != nil {
		return 0, fmt.Errorf("remove what an earlier run left: %w", err)
	}
	defer func() {
		processes.StopAll()
		err = errors.Join(err, cluster.Sweep(leftovers))
	}()
	if err := fillRegistry(); err != nil {
		return 0, fmt.Errorf("fill a registry: %w", err)
	}
	if err := startOLM(); err != nil {
		return 0, fmt.Errorf("start OLM v1: %w", err)
	}
	return m.Run(), nil
}
