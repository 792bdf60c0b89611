// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fleet is the fleet of a new cluster; known is one of a cluster that an
// operator reconciled before.
func (b *bench) fleet() Fleet { return Fleet{Owner: b.owner, Prefix: "c-worker-", Labels: ours} }

func (b *bench) known() Fleet {
	fleet := b.fleet()
	fleet.Reconciled = true
	return fleet
}

func (b *bench) template() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Labels: ours, OwnerReferences: controllerRef(b.owner)},
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

// names returns the names of those pods of a list that live, and of those that
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
	require.NoError(b, b.users.Delete(b.Context(), pod.DeepCopy(), client.GracePeriodSeconds(0)))
}

// bind gives a pod a node, so that its deletion takes its grace period.
func (b *bench) bind(pod *corev1.Pod) {
	b.Helper()
	binding := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: "n"}}
	require.NoError(b, b.users.SubResource("binding").Create(b.Context(), pod.DeepCopy(), binding))
}

func TestPodsGetFreshNamesAndCountBeforeTheCacheShowsThem(t *testing.T) {
	b := newBench(t)
	require.Empty(t, b.list(b.fleet()))
	created := b.create(b.fleet(), 100)
	assert.Equal(t, 100, b.requests.count(http.MethodPost))
	want, _ := names(created)
	require.Len(t, slices.Compact(slices.Clone(want)), 100)
	for _, name := range want {
		assert.Regexp(t, `^c-worker-[a-z0-9]{5}$`, name)
	}
	live, _ := names(b.list(b.fleet()))
	assert.Equal(t, want, live, "the cache shows none")
	assert.Positive(t, b.pods.Recheck(b.owner.UID))

	b.show()
	live, _ = names(b.list(b.fleet()))
	assert.Equal(t, want, live, "the cache shows all")
	assert.Empty(t, b.requests.taken(), "nothing had to be asked")
	assert.Zero(t, b.pods.Recheck(b.owner.UID))
}

func TestANewClusterNeedsNoSurvey(t *testing.T) {
	b := newBench(t)
	b.list(b.fleet())
	b.create(b.fleet(), 1)
	b.create(b.known(), 1)
	assert.Zero(t, b.requests.count(http.MethodGet))
}

func TestCreationStartsSlowlyAndStopsWhenItFails(t *testing.T) {
	tests := map[string]struct{ allowed, wantTried int }{
		"nothing works":                    {0, 1},
		"the first works":                  {1, 3},
		"a batch works in part":            {5, 7},
		"what works in the end goes on":    {30, 31},
		"in a batch no further than it is": {35, 60},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			var posts atomic.Int32
			b.requests.intercept = func(request *http.Request) (*http.Response, error) {
				if request.Method == http.MethodPost && int(posts.Add(1)) > test.allowed {
					return answer(http.StatusForbidden, `{"kind":"Status","status":"Failure","reason":"Forbidden","code":403,"message":"exceeded quota"}`), nil
				}
				return nil, nil
			}
			err := b.pods.Create(t.Context(), b.fleet(), b.templates(60))
			require.True(t, apierrors.IsForbidden(err), "%v", err)
			assert.ErrorContains(t, err, "exceeded quota")
			assert.Equal(t, test.wantTried, int(posts.Load()))
			assert.Len(t, b.list(b.fleet()), test.allowed, "what was refused does not count")
		})
	}
}

func answer(code int, body string) *http.Response {
	return &http.Response{
		StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: readCloser{strings.NewReader(body)},
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func TestAPodWhoseCreationIsInDoubtCountsUntilTheServerDeniesIt(t *testing.T) {
	for name, exists := range map[string]bool{"the answer was lost": true, "the request was lost": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if exists {
				b.requests.lose = func(request *http.Request) bool { return request.Method == http.MethodPost }
			} else {
				b.requests.intercept = func(request *http.Request) (*http.Response, error) {
					if request.Method == http.MethodPost {
						return nil, errLost
					}
					return nil, nil
				}
			}
			require.ErrorIs(t, b.pods.Create(t.Context(), b.fleet(), b.templates(4)), errLost)
			b.requests.intercept = nil
			require.Len(t, b.list(b.fleet()), 1, "it counts")
			assert.Equal(t, 1, b.requests.count(http.MethodPost), "and nothing was asked yet")
			assert.Equal(t, grace, b.pods.Recheck(b.owner.UID))

			b.clock = b.clock.Add(grace)
			pods := b.list(b.fleet())
			assert.Equal(t, exists, len(pods) == 1)
			assert.Equal(t, []string{"GET"}, methods(b.requests.taken()))
			for _, pod := range pods {
				assert.NotEmpty(t, pod.UID)
			}
		})
	}
}

func TestAPodInDoubtCanBeDeleted(t *testing.T) {
	b := newBench(t)
	b.requests.lose = func(request *http.Request) bool { return request.Method == http.MethodPost }
	require.Error(t, b.pods.Create(t.Context(), b.fleet(), b.templates(1)))
	doubtful := b.list(b.fleet())
	require.Empty(t, doubtful[0].UID)
	require.NoError(t, b.pods.Delete(t.Context(), b.fleet(), doubtful))
	live, gone := names(b.list(b.fleet()))
	assert.Empty(t, live)
	assert.Len(t, gone, 1)
	b.clock = b.clock.Add(grace)
	assert.Empty(t, b.list(b.fleet()), "it is gone indeed")
}

func methods(requests []string) []string {
	list := make([]string, len(requests))
	for i, request := range requests {
		list[i], _, _ = strings.Cut(request, " ")
	}
	return list
}

func TestANameThatIsTakenIsNotUsedTwice(t *testing.T) {
	b := newBench(t)
	tries := 0
	b.requests.intercept = func(request *http.Request) (*http.Response, error) {
		if request.Method != http.MethodPost {
			return nil, nil
		}
		if tries++; tries > 2 {
			return nil, nil
		}
		return answer(http.StatusConflict, `{"kind":"Status","status":"Failure","reason":"AlreadyExists","code":409,"message":"exists"}`), nil
	}
	created := b.create(b.fleet(), 1)
	assert.Equal(t, 3, tries)
	live, _ := names(b.list(b.fleet()))
	assert.Equal(t, []string{created[0].Name}, live)
}

func TestAPodThatTheCacheNeverShowedIsAskedForAfterAWhile(t *testing.T) {
	b := newBench(t)
	created := b.create(b.fleet(), 2)
	b.vanish(created[0])
	require.Len(t, b.list(b.fleet()), 2)
	b.clock = b.clock.Add(grace)
	b.requests.taken()

	live, _ := names(b.list(b.fleet()))
	assert.Equal(t, []string{created[1].Name}, live)
	assert.Equal(t, 2, b.requests.count(http.MethodGet))
	b.list(b.fleet())
	assert.Empty(t, b.requests.taken(), "not in every pass")
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
			b.patch(created[1].DeepCopy(), patch)
			b.show()
			b.requests.taken()

			live, _ := names(b.list(b.fleet()))
			assert.Equal(t, want, live)
			assert.Equal(t, 1, b.requests.count(http.MethodPatch))
			assert.Equal(t, ours, get(b, created[1].Name, &corev1.Pod{}).Labels)

			b.show()
			live, _ = names(b.list(b.fleet()))
			assert.Equal(t, want, live)
			assert.Empty(t, b.requests.taken())
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
	b.requests.taken()

	live, _ := names(b.list(b.fleet()))
	assert.Equal(t, []string{created[1].Name}, live)
	assert.Equal(t, []string{"GET " + created[0].Name}, b.requests.taken())
	b.list(b.fleet())
	assert.Empty(t, b.requests.taken())
}

func TestAPodIsOnItsWayOutFromTheMomentItsDeletionIsAccepted(t *testing.T) {
	b := newBench(t)
	created := b.create(b.fleet(), 3)
	b.bind(created[0])
	b.show()
	b.list(b.fleet())
	require.NoError(t, b.pods.Delete(t.Context(), b.fleet(), created[:2]))
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
	b.requests.taken()
	live, gone := names(b.list(b.fleet()))
	assert.Equal(t, []string{created[2].Name}, live)
	assert.Empty(t, gone)
	assert.Empty(t, b.requests.taken(), "its end was expected")
}

func TestAPodDeletedBeforeTheCacheShowedItDoesNotComeBack(t *testing.T) {
	b := newBench(t)
	created := b.create(b.fleet(), 1)
	b.show()
	late := b.cache.pods
	b.cache.pods = nil
	require.NoError(t, b.pods.Delete(t.Context(), b.fleet(), created))
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
	require.NoError(t, b.users.Create(t.Context(), other))
	require.NoError(t, b.pods.Delete(t.Context(), b.fleet(), created), "the one that was meant is gone")
	get(b, other.Name, &corev1.Pod{})

	b.vanish(other)
	require.NoError(t, b.pods.Delete(t.Context(), b.fleet(), []*corev1.Pod{other}), "so is one that is gone altogether")
}

func TestARestartedOperatorFindsPodsThatNoCacheShows(t *testing.T) {
	b := newBench(t)
	created := b.create(b.fleet(), 3)
	want, _ := names(created)
	b.patch(created[0].DeepCopy(), `{"metadata":{"labels":null}}`)
	b.show()
	b.restart()
	require.Len(t, b.list(b.known()), 2)
	b.requests.taken()

	require.ErrorIs(t, b.pods.Create(t.Context(), b.known(), b.templates(1)), ErrOutdated)
	assert.Equal(t, []string{"GET pods"}, b.requests.taken(), "nothing is created")
	live, _ := names(b.list(b.known()))
	assert.Equal(t, want, live)
	assert.Equal(t, ours, get(b, created[0].Name, &corev1.Pod{}).Labels)

	b.requests.taken()
	b.create(b.known(), 1)
	assert.Equal(t, []string{"POST pods"}, b.requests.taken(), "it looks only once")
}

func TestOnlyThePodsOfTheOwnerBelongToAFleet(t *testing.T) {
	b := newBench(t)
	mine := b.create(b.fleet(), 1)
	strangers := map[string][]metav1.OwnerReference{
		"c-worker-aaaaa": controllerRef(b.cluster("c", "99999999-2222-3333-4444-555555555555")),
		"c-worker-bbbbb": nil,
		"c-other-ccccc":  controllerRef(b.owner),
	}
	for name, owners := range strangers {
		pod := b.template()
		pod.Name, pod.OwnerReferences = name, owners
		require.NoError(t, b.users.Create(t.Context(), pod))
	}
	b.show()
	live, _ := names(b.list(b.fleet()))
	assert.Equal(t, []string{mine[0].Name}, live)
	b.restart()
	b.list(b.known())
	require.NoError(t, b.pods.Create(t.Context(), b.known(), b.templates(1)), "nor are they found")
}

func TestAFailingServerIsNoProof(t *testing.T) {
	b := newBench(t)
	created := b.create(b.fleet(), 1)
	b.show()
	b.list(b.fleet())
	b.cache.pods = nil
	b.requests.intercept = func(*http.Request) (*http.Response, error) { return nil, errLost }
	_, err := b.pods.List(t.Context(), b.fleet())
	require.ErrorContains(t, err, `get Pod "`+created[0].Name)
	b.requests.intercept = nil
	require.Len(t, b.list(b.fleet()), 1)
}

func TestThePodOfAFixedName(t *testing.T) {
	b := newBench(t)
	fleet := Fleet{Owner: b.owner, Prefix: "c-one", Labels: ours}
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
	assert.Equal(t, []string{"GET c-one"}, b.requests.taken(), "only the server can tell")

	first := fresh()
	require.NoError(t, b.pods.CreateNamed(t.Context(), fleet, first))
	require.Equal(t, first.UID, look().UID, "although the cache does not show it")
	require.NoError(t, b.pods.CreateNamed(t.Context(), fleet, fresh()), "it is there")
	b.show()
	b.requests.taken()
	require.Equal(t, first.UID, look().UID)
	assert.Empty(t, b.requests.taken())

	b.patch(first.DeepCopy(), `{"metadata":{"labels":{"component":null}}}`)
	b.show()
	assert.Equal(t, ours, look().Labels, "labels come back")
	b.patch(first.DeepCopy(), `{"metadata":{"ownerReferences":null}}`)
	b.show()
	assert.True(t, metav1.IsControlledBy(look(), b.owner), "so does the owner")
	b.show()

	require.NoError(t, b.pods.Delete(t.Context(), fleet, []*corev1.Pod{first}))
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
			theirs.OwnerReferences = controllerRef(b.cluster("d", "99999999-2222-3333-4444-555555555555"))
		}
		require.NoError(t, b.users.Create(t.Context(), theirs))
		fleet := Fleet{Owner: b.owner, Prefix: "c-one", Labels: ours}
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
	b.requests.taken()
	want := Metadata{Labels: map[string]string{"serving": "false"}, Annotations: map[string]string{"at": "noon"}}
	require.NoError(t, b.pods.Relabel(t.Context(), shown, want))
	assert.Equal(t, []string{"PATCH " + pod.Name}, b.requests.taken())
	assert.Equal(t, "false", shown.Labels["serving"])
	assert.NotContains(t, b.cache.pods[0].Labels, "serving", "the cache's own memory is left alone")
	require.NoError(t, b.pods.Relabel(t.Context(), shown, want))
	assert.Empty(t, b.requests.taken())

	stored := get(b, pod.Name, &corev1.Pod{})
	assert.Equal(t, map[string]string{"managed-by": "us", "component": "worker", "serving": "false"}, stored.Labels)
	assert.Equal(t, map[string]string{"at": "noon"}, stored.Annotations)

	b.vanish(pod)
	other := b.template()
	other.Name = pod.Name
	require.NoError(t, b.users.Create(t.Context(), other))
	require.Error(t, b.pods.Relabel(t.Context(), shown, Metadata{Labels: map[string]string{"x": "y"}}), "it is another pod")
}

func TestForgettingAnOwnerFreesItsLedger(t *testing.T) {
	b := newBench(t)
	b.create(b.fleet(), 1)
	b.pods.Forget(b.owner.UID)
	assert.Zero(t, b.pods.Recheck(b.owner.UID))
	assert.Empty(t, b.pods.ledgers)
}
