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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
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

// catalogOperator is the part of OLM that resolves Subscriptions.
var catalogOperator *process

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
	err = k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: olmNamespace, Labels: ours}})
	if err != nil {
		return err
	}
	// Their types are served a moment after the CRDs are there.
	return poll(ctx, func() error {
		var errs []error
		for _, list := range served {
			errs = append(errs, k8s.List(ctx, list))
		}
		return errors.Join(errs...)
	})
}

// startOLM starts both of OLM's operators.
func startOLM() (err error) {
	_, err = start("olm", []string{"OPERATOR_NAMESPACE=" + olmNamespace, "OPERATOR_NAME=olm-operator"}, "olm",
		"--namespace", olmNamespace, "--writeStatusName=", "--writePackageServerStatusName=")
	if err == nil {
		catalogOperator, err = startCatalogOperator()
	}
	return err
}

// startCatalogOperator starts it with flags that say where images are.
func startCatalogOperator(images ...string) (*process, error) {
	args := append([]string{"--namespace", olmNamespace, "--writeStatusName=", "--set-workload-user-id=true"}, images...)
	return start("catalog", nil, "catalog", args...)
}

// serveCatalog serves the catalog in a folder, and tells OLM of it.
func serveCatalog(name, folder string, port int) (*process, error) {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	p, err := start("opm-"+name, nil, "opm", "serve", folder, "--port", fmt.Sprint(port), "--pprof-addr=", "--termination-log=",
		"--cache-dir", filepath.Join(dir, "cache-"+name), "--cache-enforce-integrity=false")
	if err != nil {
		return nil, err
	}
	if err := p.listens(address); err != nil {
		return nil, err
	}
	source := &operatorsv1alpha1.CatalogSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: olmNamespace, Name: name},
		Spec:       operatorsv1alpha1.CatalogSourceSpec{SourceType: operatorsv1alpha1.SourceTypeGrpc, Address: address, DisplayName: "Flame"},
	}
	return p, k8s.Create(context.Background(), source)
}

// poll repeats do until it returns nil or the context ends.
func poll(ctx context.Context, do func() error) error {
	for {
		err := do()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// ours labels what these tests make outside namespaces of their own.
var ours = map[string]string{"flame.xflops.io/e2e": "true"}

// sweep removes OLM, and all that OLM and these tests have made, so that the
// cluster is as if they had not been. It does without OLM.
func sweep() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := releaseCSVs(ctx); err != nil {
		return err
	}
	namespaces := &corev1.NamespaceList{}
	if err := k8s.List(ctx, namespaces, client.MatchingLabels(ours)); err != nil {
		return err
	}
	var errs []error
	for i := range namespaces.Items {
		errs = append(errs, client.IgnoreNotFound(k8s.Delete(ctx, &namespaces.Items[i])))
	}
	errs = append(errs, sweepClusterWide(ctx)...)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return poll(ctx, func() error { return isSwept(ctx) })
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

var clusterWide = []struct{ group, kind string }{
	{"apiextensions.k8s.io", "CustomResourceDefinition"},
	{"rbac.authorization.k8s.io", "ClusterRole"},
	{"rbac.authorization.k8s.io", "ClusterRoleBinding"},
}

func listClusterWide(ctx context.Context) (found []client.Object, errs []error) {
	for _, kind := range clusterWide {
		list := &metav1.PartialObjectMetadataList{}
		list.APIVersion, list.Kind = kind.group+"/v1", kind.kind+"List"
		errs = append(errs, k8s.List(ctx, list))
		for i := range list.Items {
			if isOurs(&list.Items[i]) {
				list.Items[i].APIVersion, list.Items[i].Kind = kind.group+"/v1", kind.kind
				found = append(found, &list.Items[i])
			}
		}
	}
	return found, errs
}

func sweepClusterWide(ctx context.Context) []error {
	found, errs := listClusterWide(ctx)
	for _, object := range found {
		errs = append(errs, client.IgnoreNotFound(k8s.Delete(ctx, object)))
	}
	return errs
}

// releaseCSVs takes away the finalizers that only OLM would.
func releaseCSVs(ctx context.Context) error {
	list := &metav1.PartialObjectMetadataList{}
	list.APIVersion, list.Kind = operatorsv1alpha1.SchemeGroupVersion.String(), "ClusterServiceVersionList"
	err := k8s.List(ctx, list)
	if missing(err) {
		return nil
	}
	for i := range list.Items {
		if len(list.Items[i].Finalizers) == 0 {
			continue
		}
		list.Items[i].APIVersion, list.Items[i].Kind = operatorsv1alpha1.SchemeGroupVersion.String(), operatorsv1alpha1.ClusterServiceVersionKind
		patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
		if err := k8s.Patch(ctx, &list.Items[i], patch); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return err
}

// isSwept says what is still there.
func isSwept(ctx context.Context) error {
	found, errs := listClusterWide(ctx)
	for _, object := range found {
		errs = append(errs, fmt.Errorf("%s is still there", object.GetName()))
	}
	namespaces := &corev1.NamespaceList{}
	errs = append(errs, k8s.List(ctx, namespaces, client.MatchingLabels(ours)))
	for i := range namespaces.Items {
		errs = append(errs, fmt.Errorf("namespace %s is still there", namespaces.Items[i].Name))
	}
	return errors.Join(errs...)
}

// missing reports whether an error says that a kind is not known.
func missing(err error) bool {
	return apierrors.IsNotFound(err) || apimeta.IsNoMatchError(err)
}
