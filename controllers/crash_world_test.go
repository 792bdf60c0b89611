// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame"
	"github.com/xflops/flame-operator/internal/flame/flametest"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/stored"
	"github.com/xflops/flame-operator/test/apiserver"
	"github.com/xflops/flame-operator/test/clusters"
)

// world is a namespace of a real API server with one cluster in it, a kubelet
// that runs its pods, a session manager, and an operator that is driven by hand.
// It has a time of its own, which passes from round to round.
type world struct {
	*testing.T
	reach     *reach
	namespace string
	clock     *clocktesting.FakeClock
	writes    *writes
	network   *flametest.Network
	flame     *modelFlame
	cluster   *flamev1alpha1.FlameCluster

	// processes are those of executor managers, in the order in which they began.
	processes      []*process
	sessionManager sessionManagerProcess
	// pods and terms are from the start of the round.
	pods  []corev1.Pod
	terms map[types.UID]term
	mu    sync.Mutex // Guards terms and violations.

	reconciler *FlameClusterReconciler
	observers  *flame.Observers

	// most is how many executor manager pods there may be at most that are not on
	// their way out, least how many of the ready ones the operator has to leave.
	most, least int
	violations  []string
	// moved says that something has happened in this round, and next is when
	// something will happen by itself.
	moved bool
	next  time.Time
	quiet int
	// last says how the last round went.
	last string
}

// term is a pod's time, of which the API server has another idea.
type term struct {
	created, deleted time.Time
	grace            int64
}

func newWorld(t *testing.T, reach *reach, d disturbance) *world {
	t.Helper()
	w := &world{
		T: t, reach: reach, namespace: apiserver.Namespace(t, reach.live), writes: &writes{disturbance: d},
		clock:   clocktesting.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)),
		network: flametest.NewNetwork(t), terms: map[types.UID]term{}, most: 100,
	}
	server := w.network.Serve(naming.SessionManagerHost("c", w.namespace))
	w.flame = newModelFlame(w, server)
	server.Intercept(func(call flametest.Call, effect func() error) error {
		return w.writes.toFlame(call, func() error { return w.flame.carryOut(call, effect) })
	})
	w.restart()
	t.Cleanup(w.stop)
	return w
}

// restart has a new operator take over, which remembers nothing.
func (w *world) restart() {
	w.stop()
	w.observers = flame.NewObservers(w.network.Dial, w.clock)
	cached, live := w.operators(w.reach.cached), w.operators(w.reach.live)
	w.reconciler = &FlameClusterReconciler{
		Client: cached, Live: live,
		Recorder: events.NewFakeRecorder(1000), Now: w.clock.Now, Flame: w.observers,
	}
}

// stop ends what an operator leaves behind in memory.
func (w *world) stop() {
	if w.observers != nil {
		_ = w.observers.Start(cancelled()) // Which shuts their queues down.
	}
}

func (w *world) now() time.Time { return w.clock.Now() }

// wake asks for a round at a time that is to come.
func (w *world) wake(at time.Time) {
	if at.After(w.now()) && (w.next.IsZero() || at.Before(w.next)) {
		w.next = at
	}
}

// violation notes that something has happened that never may.
func (w *world) violation(format string, arguments ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violations = append(w.violations, w.now().Format("15:04:05 ")+anonymous(fmt.Sprintf(format, arguments...)))
}

// apply stores the cluster that text describes.
func (w *world) apply(text string) {
	w.cluster = clusters.Parse(w, text)
	w.cluster.Namespace, w.cluster.UID, w.cluster.Generation = w.namespace, "", 0
	require.NoError(w, w.reach.live.Create(w.Context(), w.cluster))
	w.await(stored.New(), w.cluster)
}

// edit changes the cluster's spec.
func (w *world) edit(change func(*flamev1alpha1.FlameClusterSpec)) {
	require.NoError(w, w.reach.live.Get(w.Context(), w.key(), w.cluster))
	before := w.cluster.DeepCopy()
	change(&w.cluster.Spec)
	require.NoError(w, w.reach.live.Patch(w.Context(), w.cluster, client.MergeFrom(before)))
	w.await(stored.New(), w.cluster)
}

func (w *world) key() types.NamespacedName {
	return types.NamespacedName{Namespace: w.namespace, Name: w.cluster.Name}
}

// round lets the pods, Flame and the operator do what is to be done now, and
// time pass: a second while anything happens, and else as much as anybody wants
// to wait, ten seconds at most.
func (w *world) round() {
	w.moved, w.next = false, time.Time{}
	w.live()
	w.observers.Observe(w.Context(), w.key())
	before := w.writes.number()
	result, err := w.reconciler.Reconcile(w.Context(), ctrl.Request{NamespacedName: w.key()})
	reborn := w.writes.reset()
	if reborn {
		w.restart()
		err = nil
	}
	if w.writes.disturbance.harm == none {
		require.NoError(w, err)
	}
	wrote := w.writes.number() != before
	step := 10 * time.Second
	switch {
	case wrote || w.moved || err != nil || reborn:
		w.quiet, step = 0, time.Second
	case !w.next.IsZero() || result.RequeueAfter > 0:
		w.quiet = 0
	default:
		w.quiet++
	}
	w.last = fmt.Sprintf("wrote %t, moved %t, next %s, requeue %s, error %v", wrote, w.moved, w.next, result.RequeueAfter, err)
	if result.RequeueAfter > 0 {
		step = min(step, max(result.RequeueAfter, 100*time.Millisecond))
	}
	if !w.next.IsZero() {
		step = min(step, w.next.Sub(w.now()))
	}
	w.clock.Step(step)
}

// patience bounds the rounds of one phase.
const patience = 400

// until plays rounds until something holds.
func (w *world) until(what string, holds func() bool) {
	w.Helper()
	for range patience {
		if w.round(); holds() {
			return
		}
	}
	require.Fail(w, "never: "+what, "the last round: %s\nviolations: %v\nFlame: %+v\nwrites: %s", w.last, w.violations, w.flame.server.State(), w.writes)
}

// rest plays rounds until nothing happens any more, and nothing would in an hour.
func (w *world) rest() {
	w.Helper()
	w.quiet = 0
	w.until("all is at rest", func() bool { return w.quiet >= 3 })
	w.clock.Step(time.Hour)
	before := w.writes.number()
	w.round()
	require.Equal(w, before, w.writes.number(), "writes at rest: %s", w.writes)
}

// translate gives a pod the times of the world, in seconds as the API server does.
func (w *world) translate(pod *corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now().Truncate(time.Second)
	at, known := w.terms[pod.UID]
	if !known {
		at.created = now
	}
	if grace := pod.DeletionGracePeriodSeconds; pod.DeletionTimestamp != nil && (at.deleted.IsZero() || at.grace != *grace) {
		at.deleted, at.grace = now, *grace
	}
	w.terms[pod.UID] = at
	pod.CreationTimestamp = metav1.NewTime(at.created)
	if pod.DeletionTimestamp != nil {
		pod.DeletionTimestamp = &metav1.Time{Time: at.deleted.Add(time.Duration(at.grace) * time.Second)}
	}
}

// list reads the pods as the cache shows them.
func (w *world) list() []corev1.Pod {
	list := &corev1.PodList{}
	if err := w.reach.cache.List(w.Context(), list, client.InNamespace(w.namespace)); err != nil {
		w.violation("list pods: %v", err)
	}
	for i := range list.Items {
		w.translate(&list.Items[i])
	}
	return list.Items
}
