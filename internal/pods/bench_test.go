// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xflops/flame-operator/test/apiserver"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(apiserver.Run(m))
}

// ours are the labels of everything that the cache of these tests shows.
var ours = map[string]string{"managed-by": "us", "component": "worker"}

// bench is a real API server, with a cache that shows only the pods that a test chooses.
type bench struct {
	*apiserver.Bench
	cache *shownClient
	pods  *Control
	clock time.Time
}

// newBench returns a bench with a new cluster.
func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{Bench: apiserver.NewBench(t), clock: time.Now()}
	b.cache = &shownClient{Client: b.Operators}
	b.begin(false)
	return b
}

// restart has an operator take over that remembers nothing.
func (b *bench) restart() { b.begin(true) }

func (b *bench) begin(reconciled bool) {
	b.pods = New(b.cache, b.Operators, func() time.Time { return b.clock }, reconciled)
}

// shownClient reads from a cache of the pods that it was shown. Such reads are not
// counted as requests.
type shownClient struct {
	client.Client
	pods []corev1.Pod
}

// show has the cache catch up with the existing pods.
func (b *bench) show() {
	b.Helper()
	list := &corev1.PodList{}
	require.NoError(b, b.Users.List(b.Context(), list, client.InNamespace(b.Namespace), client.MatchingLabels{"managed-by": "us"}))
	b.cache.pods = list.Items
}

func (c *shownClient) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	o := client.ListOptions{}
	o.ApplyOptions(options)
	uid, _ := o.FieldSelector.RequiresExactMatch(OwnerIndex)
	pods := list.(*corev1.PodList)
	pods.Items = nil
	for _, pod := range c.pods {
		if slices.Contains(ownerOf(&pod), uid) && pod.Namespace == o.Namespace {
			pods.Items = append(pods.Items, pod) // Shared memory, as with the real cache.
		}
	}
	return nil
}

func (c *shownClient) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	for i := range c.pods {
		if c.pods[i].Name == key.Name {
			c.pods[i].DeepCopyInto(object.(*corev1.Pod))
			return nil
		}
	}
	return apierrors.NewNotFound(corev1.Resource("pods"), key.Name)
}
