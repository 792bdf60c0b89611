// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package upgradeable

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr"
	operatorsv2 "github.com/operator-framework/api/pkg/operators/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

var name = types.NamespacedName{Namespace: "operators", Name: "flame-operator.v0.1.0"}

// start runs a gate until the test ends.
func start(t *testing.T, c client.Client) *Gate {
	t.Helper()
	gate := New(c, c, name, logr.Discard())
	gate.settle, gate.retry = time.Millisecond, 10*time.Millisecond
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- gate.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-done)
	})
	return gate
}

func builder(t *testing.T) *fake.ClientBuilder {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, operatorsv2.AddToScheme(scheme))
	return fake.NewClientBuilder().WithScheme(scheme)
}

func object() *operatorsv2.OperatorCondition {
	return &operatorsv2.OperatorCondition{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
}

func eventually(t *testing.T, c client.Client, want metav1.ConditionStatus) {
	t.Helper()
	require.Eventually(t, func() bool {
		found := &operatorsv2.OperatorCondition{}
		require.NoError(t, c.Get(t.Context(), name, found))
		return apimeta.IsStatusConditionPresentAndEqual(found.Spec.Conditions, operatorsv2.Upgradeable, want)
	}, 10*time.Second, 5*time.Millisecond)
}

func TestNotUpgradeableOnlyWhileReplacing(t *testing.T) {
	c := builder(t).WithObjects(object()).Build()
	gate := start(t, c)
	eventually(t, c, metav1.ConditionTrue)
	gate.Set("a", true)
	eventually(t, c, metav1.ConditionFalse)
	gate.Set("b", true)
	gate.Set("a", false)
	eventually(t, c, metav1.ConditionFalse)
	gate.Set("b", false)
	eventually(t, c, metav1.ConditionTrue)
}

func TestAConditionThatComesLater(t *testing.T) {
	c := builder(t).Build()
	gate := start(t, c)
	gate.Set("a", true)
	time.Sleep(30 * time.Millisecond)
	require.NoError(t, c.Create(t.Context(), object()))
	eventually(t, c, metav1.ConditionFalse)
}

func TestWritesThatFailAreTriedAgain(t *testing.T) {
	failures := 2
	c := builder(t).WithObjects(object()).WithInterceptorFuncs(interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.UpdateOption) error {
			if failures--; failures >= 0 {
				return errors.New("the API server is busy")
			}
			return c.Update(ctx, o, options...)
		},
	}).Build()
	start(t, c)
	eventually(t, c, metav1.ConditionTrue)
}

func TestWhereOLMIsAbsent(t *testing.T) {
	c := builder(t).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return &apimeta.NoKindMatchError{GroupKind: schema.GroupKind{Group: operatorsv2.GroupVersion.Group, Kind: "OperatorCondition"}}
		},
	}).Build()
	gate := start(t, c)
	gate.Set("a", true)
	time.Sleep(30 * time.Millisecond) // It neither ends nor panics.

	var none *Gate
	none.Set("a", true)
}
