// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build olm

package olmv1

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xflops/flame-operator/test/live"
)

const (
	// The names in config/olm-v1.
	extensionName     = "flame-operator"
	operatorNamespace = "flame-operator-system"
	// deploymentName is the name of the operator's Deployment and ServiceAccount.
	deploymentName = "flame-operator-controller-manager"
	leaseName      = "flame-operator.flame.xflops.io"
)

// extension is a ClusterExtension: OLM v1's own types would bring all of its
// dependencies along.
type extension struct {
	Status struct {
		Conditions []metav1.Condition `json:"conditions"`
		Install    struct {
			Bundle struct {
				Name    string `json:"name"`
				Version string `json:"version"`
			} `json:"bundle"`
		} `json:"install"`
	} `json:"status"`
}

func newObject(kind, name string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(group + "/v1")
	object.SetKind(kind)
	object.SetName(name)
	return object
}

// conditions returns those of an object of OLM v1 that are about its current spec.
func conditions(object *unstructured.Unstructured) (extension, error) {
	var e extension
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &e); err != nil {
		return e, err
	}
	var current []metav1.Condition
	for _, condition := range e.Status.Conditions {
		if condition.ObservedGeneration == object.GetGeneration() {
			current = append(current, condition)
		}
	}
	e.Status.Conditions = current
	return e, nil
}

// is says what is wrong unless a condition is True or False, as wanted, for a reason.
func (e extension) is(kind string, status metav1.ConditionStatus, reason string) error {
	for _, condition := range e.Status.Conditions {
		if condition.Type == kind && condition.Status == status && condition.Reason == reason {
			return nil
		}
	}
	return fmt.Errorf("%s is not %s for %s: %+v", kind, status, reason, e.Status.Conditions)
}

// addCatalog tells OLM v1 of the catalog, and waits until it serves it.
func addCatalog(t *testing.T) {
	t.Helper()
	catalog := newObject("ClusterCatalog", "flame")
	// A webhook of catalogd's adds this label where it is installed.
	catalog.SetLabels(map[string]string{group + "/metadata.name": "flame"})
	source := map[string]any{"type": "Image", "image": map[string]any{"ref": catalogImage}}
	require.NoError(t, unstructured.SetNestedMap(catalog.Object, source, "spec", "source"))
	require.NoError(t, k8s.Create(t.Context(), catalog))
	live.Eventually(t, "the catalog is served", func(ctx context.Context) error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(catalog), catalog); err != nil {
			return err
		}
		e, err := conditions(catalog)
		return errors.Join(err, e.is("Serving", metav1.ConditionTrue, "Available"))
	})
}

// install applies config/olm-v1 as a user would, but for the version and the channel.
func install(t *testing.T, version string) {
	t.Helper()
	for _, file := range []string{"namespace.yaml", "installer.yaml", "clusterextension.yaml"} {
		text, err := os.ReadFile(filepath.Join("../../config/olm-v1", file))
		require.NoError(t, err)
		documents := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
		for {
			object := &unstructured.Unstructured{}
			err := documents.Decode(object)
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			switch object.GetKind() {
			case "Namespace":
				labels := object.GetLabels()
				for key, value := range live.Ours {
					labels[key] = value
				}
				object.SetLabels(labels)
			case "ClusterExtension":
				pin(t, object, version)
			}
			require.NoError(t, k8s.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("flame-e2e"), client.ForceOwnership))
		}
	}
}

// pin asks for versions in the channel that has them all.
func pin(t *testing.T, object *unstructured.Unstructured, versions string) {
	t.Helper()
	require.NoError(t, unstructured.SetNestedField(object.Object, versions, "spec", "source", "catalog", "version"))
	require.NoError(t, unstructured.SetNestedStringSlice(object.Object, []string{"candidate-v0"}, "spec", "source", "catalog", "channels"))
}

// allow changes which versions are asked for.
func allow(t *testing.T, versions string) {
	t.Helper()
	patch := fmt.Sprintf(`{"spec":{"source":{"catalog":{"version":%q}}}}`, versions)
	require.NoError(t, k8s.Patch(t.Context(), newObject("ClusterExtension", extensionName), client.RawPatch(types.MergePatchType, []byte(patch))))
}

// installed waits until a version is installed and its pod is the only one.
func installed(t *testing.T, version string) {
	t.Helper()
	live.Eventually(t, version+" is installed", func(ctx context.Context) error {
		object := newObject("ClusterExtension", extensionName)
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		e, err := conditions(object)
		err = errors.Join(err, e.is("Installed", metav1.ConditionTrue, "Succeeded"), e.is("Progressing", metav1.ConditionTrue, "Succeeded"))
		if err == nil && e.Status.Install.Bundle.Version != version {
			err = fmt.Errorf("%+v is installed", e.Status.Install.Bundle)
		}
		return err
	})
	live.Eventually(t, "the operator of "+version+" runs", func(ctx context.Context) error {
		deployment := &appsv1.Deployment{}
		if err := k8s.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: deploymentName}, deployment); err != nil {
			return err
		}
		image := "docker.io/xflops/flame-operator:v" + version
		if found := deployment.Spec.Template.Spec.Containers[0].Image; found != image {
			return fmt.Errorf("its image is %s", found)
		}
		status := deployment.Status
		if status.ObservedGeneration != deployment.Generation || status.UpdatedReplicas != 1 || status.Replicas != 1 || status.AvailableReplicas != 1 {
			return fmt.Errorf("its Deployment says %+v", status)
		}
		return nil
	})
}

// leads waits until the operator's only pod holds the lease, which it may by a Role
// in the bundle alone: OLM v1 grants nothing else in the operator's namespace.
func leads(t *testing.T) {
	t.Helper()
	live.Eventually(t, "the operator's pod holds the lease", func(ctx context.Context) error {
		pods := &corev1.PodList{}
		if err := k8s.List(ctx, pods, client.InNamespace(operatorNamespace)); err != nil {
			return err
		}
		if len(pods.Items) != 1 {
			return fmt.Errorf("there are %d pods", len(pods.Items))
		}
		lease := &coordinationv1.Lease{}
		if err := k8s.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: leaseName}, lease); err != nil {
			return err
		}
		return live.Mentions(ptr.Deref(lease.Spec.HolderIdentity, ""), pods.Items[0].Name+"_")
	})
}

// remove deletes the ClusterExtension and waits until it is gone.
func remove(t *testing.T) {
	t.Helper()
	object := newObject("ClusterExtension", extensionName)
	require.NoError(t, k8s.Delete(t.Context(), object))
	gone(t, object)
}

func gone(t *testing.T, object client.Object) {
	t.Helper()
	kind, err := k8s.GroupVersionKindFor(object)
	require.NoError(t, err)
	what := fmt.Sprintf("%s %s is gone", kind.Kind, object.GetName())
	live.Eventually(t, what, func(ctx context.Context) error {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object)
		if err == nil {
			return errors.New("it is there")
		}
		return client.IgnoreNotFound(err)
	})
}
