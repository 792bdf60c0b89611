// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Ours labels what tests make outside namespaces of their own, and namespaces.
var Ours = map[string]string{"flame.xflops.io/e2e": "true"}

// Leftovers are what an installer, all that it has installed, and tests leave in a
// cluster, whenever they are ended.
type Leftovers struct {
	// Finalized are the kinds whose finalizers only the installer would take away.
	Finalized []schema.GroupVersionKind
	// Includes reports whether a CRD, a ClusterRole or a ClusterRoleBinding is one.
	// Namespaces with the labels of Ours are in any case.
	Includes func(client.Object) bool
}

var clusterWide = []schema.GroupVersionKind{
	{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRoleBinding"},
}

// Sweep removes leftovers without the installer, which may no longer run, and waits until
// they are gone.
func (k *Kubernetes) Sweep(l Leftovers) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	for _, kind := range l.Finalized {
		if err := k.release(ctx, kind); err != nil {
			return err
		}
	}
	found, err := k.leftovers(ctx, l)
	errs := []error{err}
	for _, object := range found {
		errs = append(errs, client.IgnoreNotFound(k.Client.Delete(ctx, object)))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return Poll(ctx, func() error {
		found, err := k.leftovers(ctx, l)
		errs := []error{err}
		for _, object := range found {
			errs = append(errs, fmt.Errorf("%s is still there", object.GetName()), k.touch(ctx, object))
		}
		return errors.Join(errs...)
	})
}

// touch changes an object that is being deleted. Kubernetes looks at a namespace that
// had pods again after half of their longest grace period, which is long for executor
// managers, or five minutes, unless somebody changes it.
func (k *Kubernetes) touch(ctx context.Context, object client.Object) error {
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"flame.xflops.io/touched":%q}}}`, time.Now())
	return client.IgnoreNotFound(k.Client.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch)))
}

func (k *Kubernetes) leftovers(ctx context.Context, l Leftovers) (found []client.Object, err error) {
	namespaces := &corev1.NamespaceList{}
	errs := []error{k.Client.List(ctx, namespaces, client.MatchingLabels(Ours))}
	for i := range namespaces.Items {
		found = append(found, &namespaces.Items[i])
	}
	for _, kind := range clusterWide {
		list, err := k.listMetadata(ctx, kind)
		errs = append(errs, err)
		for i := range list {
			if l.Includes(&list[i]) {
				found = append(found, &list[i])
			}
		}
	}
	return found, errors.Join(errs...)
}

func (k *Kubernetes) listMetadata(ctx context.Context, kind schema.GroupVersionKind) ([]metav1.PartialObjectMetadata, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	err := k.Client.List(ctx, list)
	for i := range list.Items {
		list.Items[i].SetGroupVersionKind(kind)
	}
	return list.Items, err
}

// release takes away the finalizers of all objects of a kind.
func (k *Kubernetes) release(ctx context.Context, kind schema.GroupVersionKind) error {
	list, err := k.listMetadata(ctx, kind)
	if apierrors.IsNotFound(err) || apimeta.IsNoMatchError(err) {
		return nil
	}
	errs := []error{err}
	for i := range list {
		if len(list[i].Finalizers) > 0 {
			patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
			errs = append(errs, client.IgnoreNotFound(k.Client.Patch(ctx, &list[i], patch)))
		}
	}
	return errors.Join(errs...)
}

// Poll repeats do until it returns nil or the context ends.
func Poll(ctx context.Context, do func() error) error {
	for {
		err := do()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(interval):
		}
	}
}
