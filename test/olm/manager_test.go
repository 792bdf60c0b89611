// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build olm

package olm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/xflops/flame-operator/test/live"
	"github.com/xflops/flame-operator/test/process"
)

const (
	// olmNamespace is where OLM looks for catalogs that all namespaces share.
	olmNamespace = "olm"

	catalogName = "flame"
	catalogPort = 50051
	packageName = "flame-operator"
	// channel is the one that every version is in from the beginning.
	channel = "candidate-v0"
)

var processes = &process.Folder{Bin: filepath.Join(dir, "bin"), Logs: filepath.Join(dir, "logs")}

// catalogOperator is the part of OLM that resolves Subscriptions.
var catalogOperator *process.Process

// installOLM gives the cluster OLM's CRDs and its namespace.
func installOLM() error {
	files, err := filepath.Glob(filepath.Join(dir, "crds", "*.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no CRDs in %s: %w", dir, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var served []client.ObjectList
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(text, crd); err != nil {
			return fmt.Errorf("read %q: %w", file, err)
		}
		list := &metav1.PartialObjectMetadataList{}
		list.APIVersion, list.Kind = crd.Spec.Group+"/"+crd.Spec.Versions[0].Name, crd.Spec.Names.ListKind
		served = append(served, list)
		if err := k8s.Create(ctx, crd); err != nil {
			return fmt.Errorf("create CRD %q: %w", crd.GetName(), err)
		}
	}
	err = k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: olmNamespace, Labels: live.Ours}})
	if err != nil {
		return err
	}
	// Their types are served a moment after the CRDs are there.
	return live.Poll(ctx, func() error {
		var errs []error
		for _, list := range served {
			errs = append(errs, k8s.List(ctx, list))
		}
		return errors.Join(errs...)
	})
}

// startOLM starts both of OLM's operators.
func startOLM() (err error) {
	_, err = processes.Start("olm", []string{"OPERATOR_NAMESPACE=" + olmNamespace, "OPERATOR_NAME=olm-operator"}, "olm",
		"--namespace", olmNamespace, "--writeStatusName=", "--writePackageServerStatusName=")
	if err == nil {
		catalogOperator, err = startCatalogOperator()
	}
	return err
}

// startCatalogOperator starts it with flags that say where images are.
func startCatalogOperator(images ...string) (*process.Process, error) {
	args := append([]string{"--namespace", olmNamespace, "--writeStatusName=", "--set-workload-user-id=true"}, images...)
	return processes.Start("catalog", nil, "catalog", args...)
}

// serveCatalog serves the catalog in a folder, and tells OLM of it.
func serveCatalog(name, folder string, port int) (*process.Process, error) {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	p, err := processes.Start("opm-"+name, nil, "opm", "serve", folder, "--port", fmt.Sprint(port), "--pprof-addr=", "--termination-log=",
		"--cache-dir", filepath.Join(dir, "cache-"+name), "--cache-enforce-integrity=false")
	if err != nil {
		return nil, err
	}
	if err := p.Listens(address); err != nil {
		return nil, err
	}
	source := &operatorsv1alpha1.CatalogSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: olmNamespace, Name: name},
		Spec:       operatorsv1alpha1.CatalogSourceSpec{SourceType: operatorsv1alpha1.SourceTypeGrpc, Address: address, DisplayName: "Flame"},
	}
	return p, k8s.Create(context.Background(), source)
}

// leftovers are OLM's CRDs, and all that OLM and the bundle have made.
var leftovers = live.Leftovers{
	Finalized: []schema.GroupVersionKind{operatorsv1alpha1.SchemeGroupVersion.WithKind(operatorsv1alpha1.ClusterServiceVersionKind)},
	Includes:  isOurs,
}

// isOurs reports whether OLM or the bundle has made an object that is in no
// namespace: by its labels, or by the group that a CRD is for.
func isOurs(object client.Object) bool {
	name := object.GetName()
	for label := range object.GetLabels() {
		if strings.HasPrefix(label, "olm.") || strings.HasPrefix(label, "operators.coreos.com/") {
			return true
		}
	}
	return strings.HasSuffix(name, ".operators.coreos.com") || strings.HasSuffix(name, ".flame.xflops.io") || strings.HasPrefix(name, "flame-operator-")
}
