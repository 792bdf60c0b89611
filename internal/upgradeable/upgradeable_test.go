// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package upgradeable

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	operatorsv2 "github.com/operator-framework/api/pkg/operators/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

var (
	name  = types.NamespacedName{Namespace: "operators", Name: "flame-operator.v0.1.0"}
	one   = types.NamespacedName{Namespace: "team-a", Name: "one"}
	two   = types.NamespacedName{Namespace: "team-b", Name: "two"}
	began = time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
)

// world is a Condition that runs, with a clock that stands still. Tests run in a bubble,
// so that they can tell when it has nothing left to do.
type world struct {
	*testing.T
	upgrades *Condition
	stop     context.CancelFunc
	client   client.Client
	clock    *clocktesting.FakeClock
	// asked and written count how often the condition was read and written.
	asked, written int
	// failures is how many writes fail from now on.
	failures int
}

// in runs a test in a world with some objects.
func in(t *testing.T, test func(*world), objects ...client.Object) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, clock: clocktesting.NewFakeClock(began)}
		scheme := runtime.NewScheme()
		require.NoError(t, operatorsv2.AddToScheme(scheme))
		w.client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
		w.restart()
		test(w)
		w.stop()
	})
}

// restart has a new operator take over, which remembers nothing.
func (w *world) restart() {
	w.Helper()
	if w.stop != nil {
		w.stop()
	}
	c := interceptor.NewClient(w.client.(client.WithWatch), interceptor.Funcs{Get: w.get, Update: w.update})
	w.upgrades = New(c, c, name, w.clock, logr.Discard())
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan error)
	go func(upgrades *Condition) { done <- upgrades.Start(ctx) }(w.upgrades)
	w.stop = func() {
		cancel()
		assert.NoError(w, <-done)
	}
	synctest.Wait()
}

func (w *world) get(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
	w.asked++
	return c.Get(ctx, key, o, options...)
}

func (w *world) update(ctx context.Context, c client.WithWatch, o client.Object, options ...client.UpdateOption) error {
	if w.failures > 0 {
		w.failures--
		return errors.New("the API server is busy")
	}
	w.written++
	return c.Update(ctx, o, options...)
}

// after has the clock go on.
func (w *world) after(d time.Duration) {
	synctest.Wait()
	w.clock.Step(d)
	synctest.Wait()
}

// condition returns what OLM reads, and nil before anything was written.
func (w *world) condition() *metav1.Condition {
	w.Helper()
	synctest.Wait()
	found := &operatorsv2.OperatorCondition{}
	require.NoError(w, w.client.Get(w.Context(), name, found))
	return apimeta.FindStatusCondition(found.Spec.Conditions, operatorsv2.Upgradeable)
}

func (w *world) says(status metav1.ConditionStatus, reason, message string) {
	w.Helper()
	found := w.condition()
	require.NotNil(w, found)
	assert.Equal(w, []string{string(status), reason, message}, []string{string(found.Status), found.Reason, found.Message})
}

func object() *operatorsv2.OperatorCondition {
	return &operatorsv2.OperatorCondition{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
}

const (
	nothing   = "no session manager is being replaced"
	replacing = "the session managers of these FlameClusters are being replaced: "
	gaveUp    = "gave up waiting after 5 minutes for the session managers of these FlameClusters to be replaced: "
)

func TestNotUpgradeableOnlyWhileReplacing(t *testing.T) {
	in(t, func(w *world) {
		w.after(settle)
		w.says(metav1.ConditionTrue, reasonReady, nothing)
		w.after(time.Minute)
		w.upgrades.Replacing(two, time.Time{})
		w.says(metav1.ConditionFalse, reasonReplacing, replacing+"team-b/two since 2026-11-27T10:01:05Z")
		w.upgrades.Replacing(one, began.Add(time.Minute))
		w.upgrades.Done(two)
		w.after(pace)
		w.says(metav1.ConditionFalse, reasonReplacing, replacing+"team-a/one since 2026-11-27T10:01:00Z")
		w.upgrades.Done(one)
		w.says(metav1.ConditionTrue, reasonReady, nothing)
	}, object())
}

// A session manager on a node that is lost ends when the node comes back, if ever.
func TestNoClusterIsWaitedForWithoutEnd(t *testing.T) {
	in(t, func(w *world) {
		w.after(settle)
		w.upgrades.Replacing(one, w.clock.Now())
		w.after(time.Minute)
		w.upgrades.Replacing(two, w.clock.Now())
		w.after(patience - time.Minute - time.Second)
		w.says(metav1.ConditionFalse, reasonReplacing, replacing+"team-a/one since 2026-11-27T10:00:05Z, team-b/two since 2026-11-27T10:01:05Z")
		w.after(time.Second)
		w.says(metav1.ConditionFalse, reasonReplacing,
			replacing+"team-b/two since 2026-11-27T10:01:05Z; "+gaveUp+"team-a/one since 2026-11-27T10:00:05Z")
		w.upgrades.Done(two)
		w.says(metav1.ConditionTrue, reasonGivenUp, gaveUp+"team-a/one since 2026-11-27T10:00:05Z")

		w.upgrades.Done(one)
		w.after(pace)
		w.says(metav1.ConditionTrue, reasonReady, nothing)
		w.upgrades.Replacing(one, w.clock.Now())
		w.says(metav1.ConditionFalse, reasonReplacing, replacing+"team-a/one since 2026-11-27T10:05:10Z")
		w.after(patience)
		w.says(metav1.ConditionTrue, reasonGivenUp, gaveUp+"team-a/one since 2026-11-27T10:05:10Z")
	}, object())
}

func TestGivingUpSurvivesARestart(t *testing.T) {
	in(t, func(w *world) {
		w.after(settle)
		w.upgrades.Replacing(one, began)
		w.after(time.Hour)
		for range 3 {
			w.restart()
			w.upgrades.Replacing(one, began)
			w.after(settle)
			w.says(metav1.ConditionTrue, reasonGivenUp, gaveUp+"team-a/one since 2026-11-27T10:00:00Z")
		}
		assert.Equal(t, 3, w.written, "nothing that is new")
	}, object())
}

// The first passes tell one by one what an earlier operator began.
func TestNothingIsSaidToBeDoneBeforeTheFirstPasses(t *testing.T) {
	in(t, func(w *world) {
		w.upgrades.Replacing(one, began.Add(-time.Hour))
		w.upgrades.Done(two)
		w.after(settle - time.Millisecond)
		assert.Nil(t, w.condition())
		w.upgrades.Replacing(two, began)
		w.after(0)
		require.NotNil(t, w.condition())
		assert.Equal(t, metav1.ConditionFalse, w.condition().Status)
	}, object())
}

func TestNothingIsWrittenWhenNothingChanges(t *testing.T) {
	in(t, func(w *world) {
		w.after(settle)
		for range 10 {
			w.upgrades.Replacing(one, began)
			w.upgrades.Replacing(one, w.clock.Now())
			w.upgrades.Done(two)
			w.after(pace)
		}
		assert.Equal(t, 2, w.written)
		asked := w.asked
		w.after(time.Minute)
		assert.Equal(t, asked, w.asked, "nor is it looked at")
	}, object())
}

// A thousand clusters that are changed at once do not cause a thousand writes.
func TestWordsAreWrittenAtAPace(t *testing.T) {
	in(t, func(w *world) {
		w.after(settle)
		for i := range 1000 {
			w.upgrades.Replacing(types.NamespacedName{Namespace: "many", Name: fmt.Sprintf("c%03d", i)}, began)
			synctest.Wait()
		}
		assert.Equal(t, 2, w.written)
		w.after(pace)
		assert.Equal(t, 3, w.written)
		w.says(metav1.ConditionFalse, reasonReplacing, replacing+
			"many/c000 since 2026-11-27T10:00:00Z, many/c001 since 2026-11-27T10:00:00Z, many/c002 since 2026-11-27T10:00:00Z and 997 more")
	}, object())
}

func TestATimeInTheFutureIsNow(t *testing.T) {
	in(t, func(w *world) {
		w.upgrades.Replacing(one, began.Add(time.Hour))
		w.says(metav1.ConditionFalse, reasonReplacing, replacing+"team-a/one since 2026-11-27T10:00:00Z")
		w.after(patience)
		w.says(metav1.ConditionTrue, reasonGivenUp, gaveUp+"team-a/one since 2026-11-27T10:00:00Z")
	}, object())
}

func TestAConditionThatComesLater(t *testing.T) {
	in(t, func(w *world) {
		w.upgrades.Replacing(one, began)
		w.after(settle)
		require.NoError(t, w.client.Create(t.Context(), object()))
		w.after(retry)
		w.says(metav1.ConditionFalse, reasonReplacing, replacing+"team-a/one since 2026-11-27T10:00:00Z")
	})
}

func TestWritesThatFailAreTriedAgain(t *testing.T) {
	in(t, func(w *world) {
		w.failures = 2
		w.after(settle)
		w.after(retry)
		assert.Nil(t, w.condition())
		w.after(retry)
		w.says(metav1.ConditionTrue, reasonReady, nothing)
	}, object())
}

func TestWhereNobodyAsks(*testing.T) {
	var none *Condition
	none.Replacing(one, began) // Nothing panics.
	none.Done(one)
}
