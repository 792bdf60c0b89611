// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/clusters"
)

// kept returns the ControllerRevision of a cluster as the API server would hold it.
func kept(t *testing.T, cluster *flamev1alpha1.FlameCluster) appsv1.ControllerRevision {
	t.Helper()
	objects, err := Build(cluster, Inputs{})
	require.NoError(t, err)
	config := objects.LastValid
	return appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{Name: *config.Name, OwnerReferences: []metav1.OwnerReference{Owner(cluster)}},
		Data:       *config.Data, Revision: *config.Revision,
	}
}

func TestLastValidIsTheNewestOfTheClusterItself(t *testing.T) {
	old, last, edit := clusters.Parse(t, clusters.WithEveryKind), clusters.Parse(t, clusters.WithEveryKind), clusters.Parse(t, clusters.WithEveryKind)
	old.Generation, last.Generation, edit.Generation = 3, 4, 5
	old.Spec.ExecutorManager.Replicas = ptr.To[int32](7)
	last.Spec.ExecutorManager.Replicas = ptr.To[int32](8)
	edit.Spec.FlameVersion = "9.9.9"
	foreign, broken := kept(t, old), kept(t, old)
	foreign.Revision, foreign.OwnerReferences[0].UID = 9, "another"
	broken.Data.Raw = []byte(`"text"`)

	got := LastValid(edit, []appsv1.ControllerRevision{kept(t, old), foreign, kept(t, last)})
	require.NotNil(t, got)
	assert.Equal(t, last.Spec, got.Spec, "every field comes back")
	assert.Equal(t, edit.ObjectMeta, got.ObjectMeta)
	assert.Nil(t, LastValid(edit, nil))
	assert.Nil(t, LastValid(edit, []appsv1.ControllerRevision{foreign}))
	assert.Nil(t, LastValid(edit, []appsv1.ControllerRevision{broken}))
	assert.NotEqual(t, kept(t, old).Name, kept(t, last).Name, "the content cannot be changed")
}

func TestStandInsTakeFromTheEditWhatIsValidByItself(t *testing.T) {
	last, edit := clusters.Parse(t, clusters.WithEveryKind), clusters.Parse(t, clusters.WithEveryKind)
	edit.Spec.Suspend = true
	edit.Spec.ExecutorManager.Image = "another"
	edit.Spec.ExecutorManager.Replicas = ptr.To[int32](9)
	edit.Spec.ExecutorManager.Autoscaling = &flamev1alpha1.AutoscalingSpec{MaxReplicas: 9}
	edit.Spec.SessionManager.Storage.WhenDeleted = "X"
	edit.Spec.ObjectCache.Storage.WhenDeleted = "Y"

	got := standIns(last, edit)
	require.Len(t, got, 2)
	for _, standIn := range got {
		assert.True(t, standIn.Spec.Suspend)
		assert.EqualValues(t, "X", standIn.Spec.SessionManager.Storage.WhenDeleted)
		assert.EqualValues(t, "Y", standIn.Spec.ObjectCache.Storage.WhenDeleted)
		assert.Equal(t, last.Spec.ExecutorManager.Image, standIn.Spec.ExecutorManager.Image)
	}
	assert.Equal(t, edit.Spec.ExecutorManager.Autoscaling, got[0].Spec.ExecutorManager.Autoscaling)
	assert.Equal(t, edit.Spec.ExecutorManager.Replicas, got[0].Spec.ExecutorManager.Replicas)
	assert.Equal(t, last.Spec.ExecutorManager.Autoscaling, got[1].Spec.ExecutorManager.Autoscaling)

	edit.Spec.ObjectCache = nil
	assert.NotNil(t, standIns(last, edit)[0].Spec.ObjectCache)
}

func TestWhatWasToleratedBeforeIsBuilt(t *testing.T) {
	cluster := clusters.Parse(t, clusters.Minimal)
	cluster.Spec.SessionManager.Slot.Memory = resource.MustParse("300m")
	cluster.Spec.ExecutorManager.PodTemplate = &runtime.RawExtension{Raw: []byte(`{"metadata":{"annotations":{"flame.xflops.io/mine":"x"}}}`)}
	problems := Problems(cluster, Inputs{})
	require.Len(t, problems, 2)
	assert.Contains(t, problems[0], "sessionManager.slot.memory")
	assert.Contains(t, problems[1], "executorManager.podTemplate cannot change the annotations")

	_, err := Build(cluster, Inputs{Tolerated: problems[:1]})
	assert.ErrorContains(t, err, problems[1])
	objects, err := Build(cluster, Inputs{Tolerated: problems})
	require.NoError(t, err)
	assert.Equal(t, "x", objects.ExecutorManager.Annotations["flame.xflops.io/mine"])

	for name, spoil := range map[string]func(*flamev1alpha1.FlameClusterSpec){
		"a version that is not known": func(s *flamev1alpha1.FlameClusterSpec) { s.FlameVersion = "9.9.9" },
		"a size beyond any machine":   func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Slot.GPU = resource.MustParse("1G") },
	} {
		impossible := cluster.DeepCopy()
		spoil(&impossible.Spec)
		_, err = Build(impossible, Inputs{Tolerated: Problems(impossible, Inputs{})})
		assert.Error(t, err, name)
	}
}

// specs are changes of one spec.
type specs []func(*flamev1alpha1.FlameClusterSpec)

func TestChooseCarriesOutAsMuchOfAnEditAsCanRun(t *testing.T) {
	bounds := func(s *flamev1alpha1.FlameClusterSpec) {
		s.ExecutorManager.Autoscaling = &flamev1alpha1.AutoscalingSpec{MinReplicas: 2, MaxReplicas: 2}
	}
	version := func(s *flamev1alpha1.FlameClusterSpec) { s.FlameVersion = "9.9.9" }
	memory := func(size string) func(*flamev1alpha1.FlameClusterSpec) {
		return func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Slot.Memory = resource.MustParse(size) }
	}
	for name, test := range map[string]struct {
		last, edit specs
		unreadable bool
		want       specs
		standsIn   bool
		tolerated  int
	}{
		"an edit that cannot run":                    {edit: specs{version}, standsIn: true},
		"an edit whose bounds can":                   {edit: specs{version, bounds}, want: specs{bounds}, standsIn: true},
		"an edit of a spec that is tolerated":        {last: specs{memory("300m")}, edit: specs{memory("300m"), bounds}, want: specs{memory("300m"), bounds}, tolerated: 1},
		"an edit of the very field":                  {last: specs{memory("300m")}, edit: specs{memory("400m")}, want: specs{memory("300m")}, standsIn: true, tolerated: 1},
		"an edit that cannot be read":                {edit: specs{bounds}, unreadable: true, want: specs{bounds}, standsIn: true},
		"a last valid spec that cannot run any more": {last: specs{version}, edit: specs{version, bounds}, want: nil},
	} {
		t.Run(name, func(t *testing.T) {
			with := func(changes specs) *flamev1alpha1.FlameCluster {
				cluster := clusters.Parse(t, clusters.Minimal)
				for _, change := range changes {
					change(&cluster.Spec)
				}
				return cluster
			}
			got, ok := Choose(with(test.last), with(test.edit), !test.unreadable)
			assert.Equal(t, test.standsIn || test.want != nil, ok)
			if ok {
				assert.Equal(t, with(test.want).Spec, got.Cluster.Spec)
				assert.Equal(t, test.standsIn, got.StandsIn)
				assert.Len(t, got.Tolerated, test.tolerated)
			}
		})
	}
}
