// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/pods"
	"github.com/xflops/flame-operator/test/apiserver"
	"github.com/xflops/flame-operator/test/clusters"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(apiserver.Run(m))
}

// harness drives a reconciler by hand against a real API server. Nothing runs the pods:
// tests decide how the pods fare.
type harness struct {
	*testing.T
	// live is the test's own client, whose requests are not counted.
	live     client.Client
	requests *requests
	// looks are the operator's reads from the API server, past its cache.
	looks      *requests
	operators  client.Reader
	cache      *cachedClient
	reconciler *FlameClusterReconciler
	recorder   *events.FakeRecorder
	flame      *fakeFlame
	namespace  string
	now        time.Time
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	h := &harness{T: t, live: apiserver.Client(t), requests: &requests{}, looks: &requests{reads: true}, recorder: events.NewFakeRecorder(1000), now: time.Now()}
	h.cache = &cachedClient{Client: h.client(h.requests)}
	h.operators = h.client(h.looks)
	h.flame = newFakeFlame(h)
	h.restart()
	h.namespace = apiserver.Namespace(t, h.live)
	return h
}

// client returns a client of the operator whose requests are noted.
func (h *harness) client(requests *requests) client.Client {
	h.Helper()
	config := rest.CopyConfig(apiserver.Config)
	config.QPS = -1
	config.Wrap(requests.wrap)
	c, err := client.New(config, client.Options{Scheme: apiserver.Scheme(h)})
	require.NoError(h, err)
	return c
}

// restart has a new operator take over, which remembers nothing.
func (h *harness) restart() {
	h.reconciler = &FlameClusterReconciler{
		Client: h.cache, Live: h.operators,
		Recorder: h.recorder, Now: func() time.Time { return h.now }, Flame: h.flame,
	}
}

// create stores the cluster that text describes in the test's namespace.
func (h *harness) create(text string) *flamev1alpha1.FlameCluster {
	h.Helper()
	cluster := clusters.Parse(h, text)
	cluster.Namespace = h.namespace
	cluster.UID, cluster.Generation = "", 0
	require.NoError(h, h.live.Create(h.Context(), cluster))
	return cluster
}

// step reconciles a cluster once.
func (h *harness) step(cluster *flamev1alpha1.FlameCluster) (ctrl.Result, error) {
	h.Helper()
	result, err := h.reconciler.Reconcile(h.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(cluster)})
	require.NoError(h, client.IgnoreNotFound(h.live.Get(h.Context(), client.ObjectKeyFromObject(cluster), cluster)))
	return result, err
}

// settle reconciles a cluster, with every pod doing well, until nothing changes.
func (h *harness) settle(cluster *flamev1alpha1.FlameCluster) {
	h.Helper()
	for range 20 {
		h.runPods()
		before := h.requests.writes()
		_, err := h.step(cluster)
		require.NoError(h, err)
		if h.requests.writes() == before && len(h.flame.asked()) == 0 {
			return
		}
		h.now = h.now.Add(5 * time.Second)
	}
	require.Fail(h, "it never settles", "%v", h.requests.list)
}

// writesNothing fails if a step changes anything.
func (h *harness) writesNothing(cluster *flamev1alpha1.FlameCluster) {
	h.Helper()
	before := h.requests.writes()
	_, err := h.step(cluster)
	require.NoError(h, err)
	assert.Empty(h, h.requests.list[before:])
}

// edit changes a cluster's spec.
func (h *harness) edit(cluster *flamev1alpha1.FlameCluster, change func(*flamev1alpha1.FlameClusterSpec)) {
	h.Helper()
	before := cluster.DeepCopy()
	change(&cluster.Spec)
	require.NoError(h, h.live.Patch(h.Context(), cluster, client.MergeFrom(before)))
}

// runPods does what scheduler and kubelet would: pods without a node get one and
// become ready, and pods that were deleted go. Claims get volumes.
func (h *harness) runPods() {
	h.Helper()
	bindClaims(h, h.live, h.namespace)
	for _, pod := range h.pods("") {
		switch {
		case pod.DeletionTimestamp != nil:
			require.NoError(h, client.IgnoreNotFound(h.live.Delete(h.Context(), &pod, client.GracePeriodSeconds(0))))
		case pod.Status.Phase == corev1.PodPending && pod.Status.StartTime == nil:
			h.setStatus(&pod, runningStatus(pod.Labels[flamev1alpha1.LabelComponent], h.now))
		}
	}
}

// bindClaims does what a provisioner would: claims that wait get volumes of their size.
func bindClaims(t testing.TB, live client.Client, namespace string) {
	t.Helper()
	list := &corev1.PersistentVolumeClaimList{}
	require.NoError(t, live.List(t.Context(), list, client.InNamespace(namespace)))
	for i := range list.Items {
		if claim := &list.Items[i]; claim.Status.Phase == corev1.ClaimPending {
			claim.Spec.VolumeName = "volume-of-" + claim.Name
			require.NoError(t, live.Update(t.Context(), claim))
			claim.Status.Phase, claim.Status.Capacity = corev1.ClaimBound, claim.Spec.Resources.Requests
			require.NoError(t, live.Status().Update(t.Context(), claim))
		}
	}
}

func runningStatus(container string, since time.Time) corev1.PodStatus {
	at := metav1.NewTime(since)
	started := true
	return corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &at,
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: at},
			{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: at},
		},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: container, Ready: true, Started: &started, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at}},
		}},
	}
}

func failedStatus(container string, at time.Time) corev1.PodStatus {
	end := metav1.NewTime(at)
	return corev1.PodStatus{
		Phase: corev1.PodFailed, StartTime: &end,
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: container, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, StartedAt: end, FinishedAt: end}},
		}},
	}
}

func (h *harness) setStatus(pod *corev1.Pod, status corev1.PodStatus) {
	h.Helper()
	before := pod.DeepCopy()
	pod.Status = status
	require.NoError(h, client.IgnoreNotFound(h.live.Status().Patch(h.Context(), pod, client.MergeFrom(before))))
}

// pods lists the pods of a component, or all, whatever their labels say of their cluster.
func (h *harness) pods(component string) []corev1.Pod {
	h.Helper()
	list := &corev1.PodList{}
	require.NoError(h, h.live.List(h.Context(), list, client.InNamespace(h.namespace)))
	var found []corev1.Pod
	for _, pod := range list.Items {
		if component == "" || pod.Labels[flamev1alpha1.LabelComponent] == component {
			found = append(found, pod)
		}
	}
	return found
}

func (h *harness) executors() []corev1.Pod {
	h.Helper()
	return h.pods(flamev1alpha1.ComponentExecutorManager)
}

// sessionManager returns the session manager's pod, or nil.
func (h *harness) sessionManager(cluster *flamev1alpha1.FlameCluster) *corev1.Pod {
	h.Helper()
	pod := &corev1.Pod{}
	err := h.live.Get(h.Context(), client.ObjectKey{Namespace: h.namespace, Name: naming.SessionManager(cluster.Name)}, pod)
	require.NoError(h, client.IgnoreNotFound(err))
	if err != nil {
		return nil
	}
	return pod
}

// requests counts what the operator asks the API server to change, and lets
// single requests fail.
type requests struct {
	mu   sync.Mutex
	list []string
	// reads has requests that change nothing noted, too.
	reads bool
	// fail returns what to answer instead of asking the API server, or nil.
	fail func(*http.Request) *http.Response
}

func (r *requests) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if answer := r.note(request); answer != nil {
			return answer, nil
		}
		return next.RoundTrip(request)
	})
}

func (r *requests) note(request *http.Request) *http.Response {
	r.mu.Lock()
	defer r.mu.Unlock()
	if request.Method != http.MethodGet || r.reads {
		r.list = append(r.list, request.Method+" "+request.URL.RequestURI())
	}
	if r.fail == nil {
		return nil
	}
	return r.fail(request)
}

// writes is the number of requests that were noted so far.
func (r *requests) writes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.list)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// cachedClient reads pods as from the operator's cache: by owner, trimmed, and only those
// that carry its label. While the cache lags it shows the pods as they were.
type cachedClient struct {
	client.Client
	lags bool
	pods []corev1.Pod
}

// catchUp has the cache show the pods as they are.
func (c *cachedClient) catchUp(ctx context.Context) error {
	list := &corev1.PodList{}
	if err := c.Client.List(ctx, list, client.MatchingLabels{flamev1alpha1.LabelManagedBy: naming.ManagedBy}); err != nil {
		return err
	}
	c.pods = list.Items
	for i := range c.pods {
		pods.Trim(&c.pods[i])
	}
	return nil
}

func (c *cachedClient) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	shown, ok := list.(*corev1.PodList)
	if !ok {
		return c.Client.List(ctx, list, options...)
	}
	if !c.lags {
		if err := c.catchUp(ctx); err != nil {
			return err
		}
	}
	o := &client.ListOptions{}
	o.ApplyOptions(options)
	shown.Items = nil
	for _, pod := range c.pods {
		owner := metav1.GetControllerOf(&pod)
		byOwner := o.FieldSelector == nil || owner != nil && o.FieldSelector.Matches(fields.Set{pods.OwnerIndex: string(owner.UID)})
		byLabel := o.LabelSelector == nil || o.LabelSelector.Matches(labels.Set(pod.Labels))
		if pod.Namespace == o.Namespace && byOwner && byLabel {
			shown.Items = append(shown.Items, *pod.DeepCopy())
		}
	}
	return nil
}

func (c *cachedClient) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return c.Client.Get(ctx, key, object, options...)
	}
	if !c.lags {
		if err := c.catchUp(ctx); err != nil {
			return err
		}
	}
	for i := range c.pods {
		if client.ObjectKeyFromObject(&c.pods[i]) == key {
			c.pods[i].DeepCopyInto(pod)
			return nil
		}
	}
	return apierrors.NewNotFound(corev1.Resource("pods"), key.Name)
}
