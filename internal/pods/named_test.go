// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/xflops/flame-operator/test/apiserver"
)

func TestThePodOfAFixedName(t *testing.T) {
	b := newBench(t)
	fleet := Fleet{Owner: b.Owner, Prefix: "c-one", Labels: ours}
	look := func() *corev1.Pod {
		pod, err := b.pods.Pod(t.Context(), fleet, "c-one")
		require.NoError(t, err)
		return pod
	}
	fresh := func() *corev1.Pod {
		pod := b.template()
		pod.Name = "c-one"
		return pod
	}
	require.Nil(t, look())
	assert.Equal(t, []string{"GET c-one"}, b.Requests.Taken(), "only the server can tell")

	first := fresh()
	require.NoError(t, b.pods.CreateNamed(t.Context(), fleet, first))
	require.Equal(t, first.UID, look().UID, "although the cache does not show it")
	require.NoError(t, b.pods.CreateNamed(t.Context(), fleet, fresh()), "it is there")
	b.show()
	b.Requests.Taken()
	require.Equal(t, first.UID, look().UID)
	assert.Empty(t, b.Requests.Taken())

	b.Patch(first.DeepCopy(), `{"metadata":{"labels":{"component":null}}}`)
	b.show()
	assert.Equal(t, ours, look().Labels, "labels come back")
	b.Patch(first.DeepCopy(), `{"metadata":{"ownerReferences":null}}`)
	b.show()
	assert.True(t, metav1.IsControlledBy(look(), b.Owner), "so does the owner")
	b.show()

	require.NoError(t, b.pods.Delete(t.Context(), []*corev1.Pod{first}))
	require.NotNil(t, look().DeletionTimestamp)
	second := fresh()
	require.NoError(t, b.pods.CreateNamed(t.Context(), fleet, second))
	require.Equal(t, second.UID, look().UID, "the cache shows the first yet")
	require.Equal(t, second.UID, look().UID, "still")
	assert.Nil(t, look().DeletionTimestamp)
	b.show()
	require.Equal(t, second.UID, look().UID)
	b.vanish(second)
	b.show()
	require.Nil(t, look())
}

func TestThePodOfAFixedNameThatIsSomebodyElses(t *testing.T) {
	for name, owners := range map[string][]metav1.OwnerReference{
		`Pod "c-one" already exists and belongs to FlameCluster "d"; delete it or choose another name for the FlameCluster`:  nil,
		`Pod "c-one" already exists and was not made by the operator; delete it or choose another name for the FlameCluster`: {},
	} {
		b := newBench(t)
		theirs := b.template()
		theirs.Name, theirs.Labels, theirs.OwnerReferences = "c-one", nil, owners
		if owners == nil {
			theirs.OwnerReferences = apiserver.ControllerRef(b.Cluster("d", "99999999-2222-3333-4444-555555555555"))
		}
		require.NoError(t, b.Users.Create(t.Context(), theirs))
		fleet := Fleet{Owner: b.Owner, Prefix: "c-one", Labels: ours}
		_, err := b.pods.Pod(t.Context(), fleet, "c-one")
		require.EqualError(t, err, name)
		mine := b.template()
		mine.Name = "c-one"
		require.EqualError(t, b.pods.CreateNamed(t.Context(), fleet, mine), name)
	}
}

func TestRelabelWritesOnlyWhatDiffers(t *testing.T) {
	b := newBench(t)
	pod := b.create(b.fleet(), 1)[0]
	b.show()
	shown := b.list(b.fleet())[0]
	b.Requests.Taken()
	want := Metadata{Labels: map[string]string{"serving": "false"}, Annotations: map[string]string{"at": "noon"}}
	require.NoError(t, b.pods.Relabel(t.Context(), shown, want))
	assert.Equal(t, []string{"PATCH " + pod.Name}, b.Requests.Taken())
	assert.Equal(t, "false", shown.Labels["serving"])
	assert.NotContains(t, b.cache.pods[0].Labels, "serving", "the cache's own memory is left alone")
	require.NoError(t, b.pods.Relabel(t.Context(), shown, want))
	assert.Empty(t, b.Requests.Taken())

	stored := apiserver.Get(b.Bench, pod.Name, &corev1.Pod{})
	assert.Equal(t, map[string]string{"managed-by": "us", "component": "worker", "serving": "false"}, stored.Labels)
	assert.Equal(t, map[string]string{"at": "noon"}, stored.Annotations)

	b.vanish(pod)
	other := b.template()
	other.Name = pod.Name
	require.NoError(t, b.Users.Create(t.Context(), other))
	require.Error(t, b.pods.Relabel(t.Context(), shown, Metadata{Labels: map[string]string{"x": "y"}}), "it is another pod")
}
