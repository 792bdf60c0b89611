// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/xflops/flame-operator/internal/podstate"
	"github.com/xflops/flame-operator/test/clusters"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Each folder of testdata holds a cluster.yaml and the objects that Build makes of it.
func TestBuildMakesTheWholeObjects(t *testing.T) {
	inputs := map[string]Inputs{
		"openshift":       {OpenShift: true},
		"uri-from-secret": {StorageURI: "fs:///var/lib/flame/elsewhere"},
	}
	folders, err := filepath.Glob("testdata/*")
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(folder, "cluster.yaml"))
			require.NoError(t, err)
			objects, err := Build(clusters.Parse(t, string(text)), inputs[filepath.Base(folder)])
			require.NoError(t, err)
			checkGolden(t, filepath.Join(folder, "objects.yaml"), objects)
		})
	}
}

func checkGolden(t *testing.T, path string, objects *Objects) {
	t.Helper()
	got := render(t, objects)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update to write the golden file")
	assert.Equal(t, string(want), string(got))
}

func render(t *testing.T, o *Objects) []byte {
	t.Helper()
	var out bytes.Buffer
	add := func(object any, wanted bool) {
		if !wanted {
			return
		}
		text, err := yaml.Marshal(object)
		require.NoError(t, err)
		out.WriteString("---\n")
		out.Write(text)
	}
	add(o.ServiceAccount, o.ServiceAccount != nil)
	add(o.Config, o.Config != nil)
	add(o.SecretConfig, o.SecretConfig != nil)
	add(o.SessionManagerClaim, o.SessionManagerClaim != nil)
	add(o.SessionManagerService, true)
	add(o.SessionManager, true)
	add(o.ExecutorManager, true)
	add(o.ObjectCacheService, o.ObjectCacheService != nil)
	add(o.ObjectCache, o.ObjectCache != nil)
	return out.Bytes()
}

func TestATrialOfAnObjectCacheIsThePodThatItsControllerMakes(t *testing.T) {
	set := &appsv1.StatefulSet{}
	set.Namespace, set.Name = "ns", "c-object-cache"
	set.Spec.Replicas = ptr.To(int32(3))
	set.Spec.Template.Labels = map[string]string{"a": "b"}
	set.Spec.Template.Spec.Containers = []corev1.Container{{Name: "object-cache"}}
	set.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "objects", Labels: map[string]string{"c": "d"}}}}
	others := []podstate.Pod{{Name: "c-object-cache-0"}, {Name: "c-object-cache-2"}}
	pod, claims := ObjectCacheTrial(set, others)
	assert.Equal(t, "c-object-cache-1", pod.Name)
	assert.Equal(t, set.Spec.Template.Labels, pod.Labels)
	assert.Equal(t, "objects-c-object-cache-1", pod.Spec.Volumes[0].PersistentVolumeClaim.ClaimName)
	require.Len(t, claims, 1)
	assert.Equal(t, "objects-c-object-cache-1", claims[0].Name)
	assert.Equal(t, "ns", claims[0].Namespace)
	pod.Labels["a"], claims[0].Labels["c"] = "x", "x"
	assert.Equal(t, "b", set.Spec.Template.Labels["a"], "the set may be the cache's")
	assert.Equal(t, "d", set.Spec.VolumeClaimTemplates[0].Labels["c"])
	pod, claims = ObjectCacheTrial(set, append(others, podstate.Pod{Name: "c-object-cache-1"}))
	assert.Nil(t, pod, "none is lacking")
	assert.Nil(t, claims)
	set.Generation = 2
	pod, _ = ObjectCacheTrial(set, others)
	assert.Nil(t, pod, "its controller has yet to look")
}
