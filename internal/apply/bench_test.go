// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/apiserver"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(apiserver.Run(m))
}

// ours are the labels of everything that the cache of these tests shows.
var ours = map[string]string{"managed-by": "us", "component": "worker"}

// bench is a real API server, with a cache that shows what it is told to.
type bench struct {
	testing.TB
	// users is a client whose requests are not counted.
	users     client.Client
	requests  *requests
	cache     *shownClient
	applier   *Applier
	pods      *Pods
	namespace string
	owner     *flamev1alpha1.FlameCluster
	clock     time.Time
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{TB: t, users: apiserver.Client(t), requests: &requests{}, clock: time.Now()}
	config := rest.CopyConfig(apiserver.Config)
	config.QPS = -1
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return b.requests.wrap(next) })
	counted, err := client.New(config, client.Options{Scheme: apiserver.Scheme(t)})
	require.NoError(t, err)
	b.cache = &shownClient{Client: counted, users: b.users}
	b.applier = New(b.cache, counted)
	b.namespace = apiserver.Namespace(t, b.users)
	b.owner = b.cluster("c", "11111111-2222-3333-4444-555555555555")
	b.restart()
	return b
}

// restart has an operator take over that remembers nothing.
func (b *bench) restart() {
	b.pods = NewPods(b.cache, b.cache.Client)
	b.pods.Now = func() time.Time { return b.clock }
}

func (b *bench) cluster(name string, uid types.UID) *flamev1alpha1.FlameCluster {
	return &flamev1alpha1.FlameCluster{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: b.namespace, UID: uid}}
}

// reference is the owner reference to a cluster for apply configurations.
func reference(cluster *flamev1alpha1.FlameCluster) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().WithAPIVersion(flamev1alpha1.GroupVersion.String()).WithKind("FlameCluster").
		WithName(cluster.Name).WithUID(cluster.UID).WithController(true).WithBlockOwnerDeletion(true)
}

func controllerRef(owner client.Object) []metav1.OwnerReference {
	return []metav1.OwnerReference{*metav1.NewControllerRef(owner, flamev1alpha1.GroupVersion.WithKind("FlameCluster"))}
}

// get reads an object as it is.
func get[T client.Object](b *bench, name string, into T) T {
	b.Helper()
	require.NoError(b, b.users.Get(b.Context(), client.ObjectKey{Namespace: b.namespace, Name: name}, into))
	return into
}

// patch does what a user does with kubectl patch.
func (b *bench) patch(object client.Object, patch string) {
	b.Helper()
	require.NoError(b, b.users.Patch(b.Context(), object, client.RawPatch(types.MergePatchType, []byte(patch))))
}

// requests notes what is asked of the API server, and lets requests fail.
type requests struct {
	mu   sync.Mutex
	list []string
	// intercept answers a request instead of the API server, or returns nil, nil.
	intercept func(*http.Request) (*http.Response, error)
	// lose has the answer to a request be lost.
	lose func(*http.Request) bool
}

func (r *requests) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := r.note(request)
		if response != nil || err != nil {
			return response, err
		}
		response, err = next.RoundTrip(request)
		if err == nil && r.lose != nil && r.lose(request) {
			_ = response.Body.Close()
			return nil, errLost
		}
		return response, err
	})
}

func (r *requests) note(request *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	path := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	if len(path) > 3 { // The others ask which kinds there are.
		r.list = append(r.list, request.Method+" "+path[len(path)-1])
	}
	if r.intercept == nil {
		return nil, nil
	}
	return r.intercept(request)
}

// taken returns what was asked since the last time.
func (r *requests) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

// count returns how often a method was used since the last time.
func (r *requests) count(method string) int {
	count := 0
	for _, request := range r.taken() {
		if strings.HasPrefix(request, method+" ") {
			count++
		}
	}
	return count
}

type lost struct{}

func (lost) Error() string { return "the connection broke" }

var errLost = lost{}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// shownClient reads from a cache that holds only what carries our label, and of
// the pods only what it was shown. Its reads are no requests.
type shownClient struct {
	client.Client
	users client.Client
	pods  []corev1.Pod
}

// show has the cache catch up with the pods that there are.
func (b *bench) show() {
	b.Helper()
	list := &corev1.PodList{}
	require.NoError(b, b.users.List(b.Context(), list, client.InNamespace(b.namespace), client.MatchingLabels{"managed-by": "us"}))
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

func (c *shownClient) Get(ctx context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	notFound := apierrors.NewNotFound(schema.GroupResource{Resource: "objects"}, key.Name)
	if pod, ok := object.(*corev1.Pod); ok {
		for i := range c.pods {
			if c.pods[i].Name == key.Name {
				c.pods[i].DeepCopyInto(pod)
				return nil
			}
		}
		return notFound
	}
	if err := c.users.Get(ctx, key, object); err != nil {
		return err
	}
	if object.GetLabels()["managed-by"] != "us" {
		return notFound
	}
	return nil
}
