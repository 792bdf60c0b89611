// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/apiserver"
)

func (b *bench) fleet() Fleet { return Fleet{Owner: b.Owner, Prefix: "c-worker-", Labels: ours} }

func (b *bench) template() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.Namespace, Labels: ours, OwnerReferences: apiserver.ControllerRef(b.Owner)},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}
}

func (b *bench) templates(n int) []*corev1.Pod {
	pods := make([]*corev1.Pod, n)
	for i := range pods {
		pods[i] = b.template()
	}
	return pods
}

func (b *bench) create(fleet Fleet, n int) []*corev1.Pod {
	b.Helper()
	pods := b.templates(n)
	require.NoError(b, b.pods.Create(b.Context(), fleet, pods))
	return pods
}

func (b *bench) list(fleet Fleet) []*corev1.Pod {
	b.Helper()
	pods, err := b.pods.List(b.Context(), fleet)
	require.NoError(b, err)
	return pods
}

// names returns the names of the pods of a list that live, and the names of those that
// are on their way out.
func names(pods []*corev1.Pod) (live, gone []string) {
	for _, pod := range pods {
		if pod.DeletionTimestamp == nil {
			live = append(live, pod.Name)
		} else {
			gone = append(gone, pod.Name)
		}
	}
	slices.Sort(live)
	slices.Sort(gone)
	return live, gone
}

// vanish has a pod go as a force-deletion does.
func (b *bench) vanish(pod *corev1.Pod) {
	b.Helper()
	require.NoError(b, b.Users.Delete(b.Context(), pod.DeepCopy(), client.GracePeriodSeconds(0)))
}

// bind gives a pod a node, so that its deletion takes its grace period.
func (b *bench) bind(pod *corev1.Pod) {
	b.Helper()
	binding := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: "n"}}
	require.NoError(b, b.Users.SubResource("binding").Create(b.Context(), pod.DeepCopy(), binding))
}

func TestPodsGetFreshNamesAndCountBeforeTheCacheShowsThem(t *testing.T) {
	b := newBench(t)
	require.Empty(t, b.list(b.fleet()))
	created := b.create(b.fleet(), 100)
	assert.Equal(t, 100, b.Requests.Count(http.MethodPost))
	want, _ := names(created)
	require.Len(t, slices.Compact(slices.Clone(want)), 100)
	for _, name := range want {
		assert.Regexp(t, `^c-worker-[a-z0-9]{5}$`, name)
	}
	live, _ := names(b.list(b.fleet()))
	assert.Equal(t, want, live, "the cache shows none")
	for _, pod := range b.list(b.fleet()) {
		assert.Equal(t, corev1.PodSpec{}, pod.Spec, "what is remembered is as small as what the cache holds")
		assert.Nil(t, pod.ManagedFields)
		assert.Equal(t, apiserver.ControllerRef(b.Owner), pod.OwnerReferences)
	}
	assert.Positive(t, b.pods.Recheck())

	b.show()
	live, _ = names(b.list(b.fleet()))
	assert.Equal(t, want, live, "the cache shows all")
	assert.Empty(t, b.Requests.Taken(), "nothing had to be asked")
	assert.Zero(t, b.pods.Recheck())
}

func TestAPodThatTheCacheNeverShowedIsAskedForAfterAWhile(t *testing.T) {
	b := newBench(t)
	created := b.create(b.fleet(), 2)
	b.vanish(created[0])
	require.Len(t, b.list(b.fleet()), 2)
	b.clock = b.clock.Add(grace)
	b.Requests.Taken()

	live, _ := names(b.list(b.fleet()))
	assert.Equal(t, []string{created[1].Name}, live)
	assert.Equal(t, 2, b.Requests.Count(http.MethodGet))
	b.list(b.fleet())
	assert.Empty(t, b.Requests.Taken(), "not in every pass")
}

func TestAPodWithStrippedLabelsCountsAndGetsThemBack(t *testing.T) {
	for name, patch := range map[string]string{
		"the cache's label": `{"metadata":{"labels":{"managed-by":null}}}`,
		"all labels":        `{"metadata":{"labels":null}}`,
		"another label":     `{"metadata":{"labels":{"component":"other"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			created := b.create(b.fleet(), 3)
			want, _ := names(created)
			b.show()
			b.list(b.fleet())
			b.Patch(created[1].DeepCopy(), patch)
			b.show()
			b.Requests.Taken()

			live, _ := names(b.list(b.fleet()))
			assert.Equal(t, want, live)
			assert.Equal(t, 1, b.Requests.Count(http.MethodPatch))
			assert.Equal(t, ours, apiserver.Get(b.Bench, created[1].Name, &corev1.Pod{}).Labels)

			b.show()
			live, _ = names(b.list(b.fleet()))
			assert.Equal(t, want, live)
			assert.Empty(t, b.Requests.Taken())
		})
	}
}

func TestAPodThatVanishesIsProvenGoneOnce(t *testing.T) {
	b := newBench(t)
	created := b.create(b.fleet(), 2)
	b.show()
	b.list(b.fleet())
	b.vanish(created[0])
	b.show()
	b.Requests.Taken()

	live, _ := names(b.list(b.fleet()))
	assert.Equal(t, []string{created[1].Name}, live)
	assert.Equal(t, []string{"GET " + created[0].Name}, b.Requests.Taken())
	b.list(b.fleet())
	assert.Empty(t, b.Requests.Taken())
}

func TestAPodIsOnItsWayOutFromTheMomentItsDeletionIsAccepted(t *testing.T) {
	b := newBench(t)
	created := b.create(b.fleet(), 3)
	b.bind(created[0])
	b.show()
	b.list(b.fleet())
	require.NoError(t, b.pods.Delete(t.Context(), created[:2]))
	want, _ := names(created[:2])

	_, gone := names(b.list(b.fleet()))
	assert.Equal(t, want, gone, "although the cache does not show it")
	for i := range b.cache.pods {
		assert.Nil(t, b.cache.pods[i].DeletionTimestamp, "the cache's own memory is left alone")
	}
	b.show()
	_, gone = names(b.list(b.fleet()))
	assert.Equal(t, []string{created[0].Name}, gone, "one is gone, the other has its grace period")
	b.vanish(created[0])
	b.show()
	b.Requests.Taken()
	live, gone := names(b.list(b.fleet()))
	assert.Equal(t, []string{created[2].Name}, live)
	assert.Empty(t, gone)
	assert.Empty(t, b.Requests.Taken(), "its end was expected")
}

func TestAPodDeletedBeforeTheCacheShowedItDoesNotComeBack(t *testing.T) {
	b := newBench(t)
	created := b.create(b.fleet(), 1)
	b.show()
	late := b.cache.pods
	b.cache.pods = nil
	require.NoError(t, b.pods.Delete(t.Context(), created))
	_, gone := names(b.list(b.fleet()))
	assert.Len(t, gone, 1)
	b.cache.pods = late
	live, gone := names(b.list(b.fleet()))
	assert.Empty(t, live)
	assert.Len(t, gone, 1)
	b.show()
	assert.Empty(t, b.list(b.fleet()))
}

func TestDeletionTouchesNoOtherPodOfThatName(t *testing.T) {
	b := newBench(t)
	created := b.create(b.fleet(), 1)
	b.vanish(created[0])
	other := b.template()
	other.Name = created[0].Name
	require.NoError(t, b.Users.Create(t.Context(), other))
	require.NoError(t, b.pods.Delete(t.Context(), created), "the one that was meant is gone")
	apiserver.Get(b.Bench, other.Name, &corev1.Pod{})

	b.vanish(other)
	require.NoError(t, b.pods.Delete(t.Context(), []*corev1.Pod{other}), "so is one that is gone altogether")
}

func TestOnlyThePodsOfTheOwnerBelongToAFleet(t *testing.T) {
	b := newBench(t)
	mine := b.create(b.fleet(), 1)
	strangers := map[string][]metav1.OwnerReference{
		"c-worker-aaaaa": apiserver.ControllerRef(b.Cluster("c", "99999999-2222-3333-4444-555555555555")),
		"c-worker-bbbbb": nil,
		"c-other-ccccc":  apiserver.ControllerRef(b.Owner),
	}
	for name, owners := range strangers {
		pod := b.template()
		pod.Name, pod.OwnerReferences = name, owners
		require.NoError(t, b.Users.Create(t.Context(), pod))
	}
	b.show()
	live, _ := names(b.list(b.fleet()))
	assert.Equal(t, []string{mine[0].Name}, live)
	b.restart()
	b.list(b.fleet())
	require.NoError(t, b.pods.Create(t.Context(), b.fleet(), b.templates(1)), "nor are they found")
}

func TestAFailingServerIsNoProof(t *testing.T) {
	b := newBench(t)
	created := b.create(b.fleet(), 1)
	b.show()
	b.list(b.fleet())
	b.cache.pods = nil
	b.Requests.Intercept = func(*http.Request) (*http.Response, error) { return nil, apiserver.ErrLost }
	_, err := b.pods.List(t.Context(), b.fleet())
	require.ErrorContains(t, err, `get Pod "`+created[0].Name)
	b.Requests.Intercept = nil
	require.Len(t, b.list(b.fleet()), 1)
}

func TestTrimmingChangesNoMemoryThatPodsShare(t *testing.T) {
	template := (&bench{Bench: &apiserver.Bench{Owner: &flamev1alpha1.FlameCluster{}}}).template()
	template.Annotations = map[string]string{"a": "of somebody else", flamev1alpha1.AnnotationFailures: "1"}
	template.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", ImageID: "i"}}
	before, pod := template.DeepCopy(), *template
	Trim(&pod)
	assert.Equal(t, before, template)
	assert.Equal(t, map[string]string{flamev1alpha1.AnnotationFailures: "1"}, pod.Annotations)
	assert.Equal(t, template.Labels, pod.Labels)
	assert.Equal(t, template.OwnerReferences, pod.OwnerReferences)
	assert.Equal(t, []corev1.ContainerStatus{{Name: "c"}}, pod.Status.ContainerStatuses)
}
