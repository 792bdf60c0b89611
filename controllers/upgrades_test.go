// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"testing"
	"time"

	"github.com/go-logr/logr"
	operatorsv2 "github.com/operator-framework/api/pkg/operators/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/podstate"
	"github.com/xflops/flame-operator/internal/upgradeable"
	"github.com/xflops/flame-operator/test/clusters"
)

// upgrades is an OperatorCondition that the operator of a harness keeps.
type upgrades struct {
	*harness
	olm   client.Client
	clock *clocktesting.FakeClock
	key   client.ObjectKey
}

func newUpgrades(h *harness) *upgrades {
	h.Helper()
	scheme := runtime.NewScheme()
	require.NoError(h, operatorsv2.AddToScheme(scheme))
	u := &upgrades{harness: h, clock: clocktesting.NewFakeClock(h.now), key: client.ObjectKey{Namespace: "operators", Name: "flame-operator"}}
	object := &operatorsv2.OperatorCondition{ObjectMeta: metav1.ObjectMeta{Namespace: u.key.Namespace, Name: u.key.Name}}
	u.olm = fake.NewClientBuilder().WithScheme(scheme).WithObjects(object).Build()
	u.restart()
	return u
}

// restart has a new operator take over, which keeps the condition from now on.
func (u *upgrades) restart() {
	u.Helper()
	u.harness.restart()
	upgrades := upgradeable.New(u.olm, u.olm, u.key, u.clock, logr.Discard())
	u.reconciler.Upgrades = upgrades
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- upgrades.Start(ctx) }()
	u.Cleanup(func() {
		stop()
		assert.NoError(u, <-done)
	})
}

// say waits until OLM is told, while the time goes on.
func (u *upgrades) say(status metav1.ConditionStatus, message string) {
	u.Helper()
	var found *metav1.Condition
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		object := &operatorsv2.OperatorCondition{}
		require.NoError(u, u.olm.Get(u.Context(), u.key, object))
		found = apimeta.FindStatusCondition(object.Spec.Conditions, operatorsv2.Upgradeable)
		if found != nil && found.Status == status && found.Message == message {
			return
		}
		require.Truef(u, time.Now().Before(deadline), "%s: %q never comes, but %+v", status, message, found)
		u.clock.Step(100 * time.Millisecond)
	}
}

// A session manager keeps terminating for as long as its node is lost.
func TestASessionManagerThatDoesNotEndHoldsBackNoUpdateForEver(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	u := newUpgrades(h)
	const nothing = "no session manager is being replaced"
	u.say(metav1.ConditionTrue, nothing)

	pod := h.sessionManager(cluster)
	pod.Finalizers = []string{"example.com/holds"}
	require.NoError(t, h.live.Update(t.Context(), pod))
	require.NoError(t, h.live.Delete(t.Context(), pod))
	_, err := h.step(cluster)
	require.NoError(t, err)
	since := h.namespace + "/c since " + podstate.Of(h.sessionManager(cluster), "").DeletedAt.UTC().Format(time.RFC3339)
	u.say(metav1.ConditionFalse, "the session managers of these FlameClusters are being replaced: "+since)

	u.clock.Step(5 * time.Minute)
	gaveUp := "gave up waiting after 5 minutes for the session managers of these FlameClusters to be replaced: " + since
	u.say(metav1.ConditionTrue, gaveUp)
	u.clock.Step(time.Hour)
	h.now = u.clock.Now()
	u.restart()
	_, err = h.step(cluster)
	require.NoError(t, err)
	u.clock.Step(time.Minute)
	u.say(metav1.ConditionTrue, gaveUp)

	pod = h.sessionManager(cluster)
	pod.Finalizers = nil
	require.NoError(t, h.live.Update(t.Context(), pod))
	h.settle(cluster)
	u.say(metav1.ConditionTrue, nothing)

	h.now = u.clock.Now()
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.MaxSessions = 5 })
	_, err = h.step(cluster)
	require.NoError(t, err)
	u.say(metav1.ConditionFalse, "the session managers of these FlameClusters are being replaced: "+
		h.namespace+"/c since "+h.now.UTC().Format(time.RFC3339))

	require.NoError(t, h.live.Delete(t.Context(), cluster))
	_, err = h.step(cluster)
	require.NoError(t, err)
	u.say(metav1.ConditionTrue, nothing)
}
