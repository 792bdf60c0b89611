// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/test/clusters"
)

// ownedResources are those of every object of a cluster, told from the objects
// themselves: one that clusters.WithEveryKind does not make has to be added there.
func ownedResources(t *testing.T) map[schema.GroupResource]bool {
	t.Helper()
	objects, err := desired.Build(clusters.Parse(t, clusters.WithEveryKind), desired.Inputs{StorageURI: "fs:///var/lib/flame/elsewhere"})
	require.NoError(t, err)
	found := map[schema.GroupResource]bool{}
	fields := reflect.ValueOf(*objects)
	for i := range fields.NumField() {
		name, field := fields.Type().Field(i).Name, fields.Field(i)
		if field.Kind() != reflect.Pointer {
			continue
		}
		require.Falsef(t, field.IsNil(), "clusters.WithEveryKind has no %s", name)
		text, err := json.Marshal(field.Interface())
		require.NoError(t, err)
		object := unstructured.Unstructured{}
		require.NoError(t, json.Unmarshal(text, &object.Object))
		kind := object.GroupVersionKind()
		if _, isPod := field.Interface().(*corev1.Pod); isPod {
			kind = corev1.SchemeGroupVersion.WithKind("Pod") // A Go type does not say what it is.
		}
		require.NotEmptyf(t, object.GetOwnerReferences(), "%s has no owner", name)
		resource, _ := meta.UnsafeGuessKindToResource(kind)
		found[resource.GroupResource()] = true
	}
	return found
}

// Where the admission plugin OwnerReferencesPermissionEnforcement is on, as on
// OpenShift, whoever changes the owners of an object has to have the right to
// delete it. An object gets another owner when a claim is to be kept or not, and
// when a new cluster takes what an earlier one of its name has left.
func TestWhateverGetsAnOwnerMayBeDeleted(t *testing.T) {
	permissions := load(t).CSV.Spec.InstallStrategy.StrategySpec.Permissions
	require.Len(t, permissions, 1)
	resources := ownedResources(t)
	assert.Greater(t, len(resources), 5)
	for resource := range resources {
		for _, verb := range []string{"create", "patch", "delete"} {
			wanted := right{verb: verb, group: resource.Group, resource: resource.Resource}
			assert.Truef(t, allows(permissions[0].Rules, wanted), "%+v", wanted)
		}
	}
}
