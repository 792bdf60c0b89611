// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xflops/flame-operator/test/apiserver"
)

// newCached returns a bench whose operator reads from a real cache, which lags as real
// caches do and holds only objects with the operator's label.
func newCached(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	ours := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{"managed-by": "us"})}
	shown, err := cache.New(apiserver.Config, cache.Options{
		Scheme:           apiserver.Scheme(t),
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject:         map[client.Object]cache.ByObject{&corev1.Pod{}: ours},
	})
	require.NoError(t, err)
	require.NoError(t, IndexByOwner(t.Context(), shown))
	go func() { assert.NoError(t, shown.Start(t.Context())) }()
	require.True(t, shown.WaitForCacheSync(t.Context()))
	b.pods = New(&realClient{Client: b.Operators, cache: shown}, b.Operators, time.Now, false)
	return b
}

// realClient reads from a cache and writes to the server.
type realClient struct {
	client.Client
	cache client.Reader
}

func (c *realClient) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	return c.cache.Get(ctx, key, object, options...)
}

func (c *realClient) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	return c.cache.List(ctx, list, options...)
}

// TestARealCacheNeverShowsAPodTooManyOrTooFew creates, strips, deletes and lists pods as
// fast as it can, while the cache follows at its own pace.
func TestARealCacheNeverShowsAPodTooManyOrTooFew(t *testing.T) {
	b := newCached(t)
	fleet := b.fleet()
	random := rand.New(rand.NewPCG(1, 1))
	b.list(fleet)
	want := map[string]*corev1.Pod{}
	for range 300 {
		switch random.IntN(6) {
		case 0, 1:
			for _, pod := range b.create(fleet, 1+random.IntN(5)) {
				want[pod.Name] = pod
			}
		case 2:
			for name, pod := range want {
				require.NoError(t, b.pods.Delete(t.Context(), []*corev1.Pod{pod}))
				delete(want, name)
				break
			}
		case 3:
			for _, pod := range want {
				b.Patch(pod.DeepCopy(), `{"metadata":{"labels":{"managed-by":null}}}`)
				break
			}
		default:
			time.Sleep(time.Duration(random.IntN(5)) * time.Millisecond)
		}
		live, _ := names(b.list(fleet))
		require.Equal(t, slices.Sorted(maps.Keys(want)), live)
	}
	require.Eventually(t, func() bool {
		pods := b.list(fleet)
		return len(pods) == len(want) && b.pods.Recheck() == 0
	}, 10*time.Second, 50*time.Millisecond, "the cache catches up")
	list := &corev1.PodList{}
	require.NoError(t, b.Users.List(t.Context(), list, client.InNamespace(b.Namespace), client.MatchingLabels(ours)))
	require.Len(t, list.Items, len(want), "every label is back")
	require.Zero(t, b.Requests.Count("PUT"))
}
