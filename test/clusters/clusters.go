// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package clusters makes FlameClusters for tests as the API server would store
// them: with the defaults of the CRD that is shipped.
package clusters

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/config/crd"
)

// Minimal is the smallest spec that the schema accepts.
const Minimal = `
metadata: {name: c, namespace: ns}
spec:
  sessionManager: {image: docker.io/xflops/flame-session-manager:v0.6.0}
  executorManager: {image: docker.io/xflops/flame-executor-manager:v0.6.0}
`

// MinimalWithCache is the smallest spec with an object cache.
const MinimalWithCache = Minimal + `  objectCache: {image: docker.io/xflops/flame-object-cache:v0.6.0}
`

// WithEveryKind consists of an object of every kind that the operator makes, all of which
// go with the cluster.
const WithEveryKind = `
metadata: {name: c, namespace: ns}
spec:
  sessionManager:
    image: docker.io/xflops/flame-session-manager:v0.6.0
    storage:
      volumeClaimTemplate: {resources: {requests: {storage: 1Gi}}}
      whenDeleted: Delete
      uriSecretRef: {name: storage, key: uri}
  executorManager: {image: docker.io/xflops/flame-executor-manager:v0.6.0}
  objectCache: {image: docker.io/xflops/flame-object-cache:v0.6.0}
`

// Parse returns the FlameCluster that text describes, with the CRD's defaults
// and a fixed UID.
func Parse(t testing.TB, text string) *flamev1alpha1.FlameCluster {
	t.Helper()
	object := map[string]any{}
	require.NoError(t, yaml.Unmarshal([]byte(text), &object))
	defaulting.Default(object, structuralSchema(t))
	cluster := &flamev1alpha1.FlameCluster{}
	require.NoError(t, kruntime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object, cluster, true))
	cluster.UID = "11111111-2222-3333-4444-555555555555"
	cluster.Generation = 1
	return cluster
}

func structuralSchema(t testing.TB) *schema.Structural {
	t.Helper()
	structural, err := readSchema()
	require.NoError(t, err)
	return structural
}

// readSchema takes a while, so that it is done once.
var readSchema = sync.OnceValues(func() (*schema.Structural, error) {
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(crd.FlameClusters, definition); err != nil {
		return nil, err
	}
	props := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(
		definition.Spec.Versions[0].Schema.OpenAPIV3Schema, props, nil); err != nil {
		return nil, err
	}
	return schema.NewStructural(props)
})
