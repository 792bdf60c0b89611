// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

// scale does what kubectl scale does.
func (c flameCluster) scale(t *testing.T, n int32) {
	t.Helper()
	object, err := c.Get(t.Context())
	require.NoError(t, err)
	scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: n}}
	require.NoError(t, k8s.SubResource("scale").Update(t.Context(), object, client.WithSubResourceBody(scale)))
}

func TestScale(t *testing.T) {
	t.Parallel()
	c := create(t, newNamespace(t), "flame")
	c.Settled(t)
	sessionManager := c.Living(t, flamev1alpha1.ComponentSessionManager)

	before := executorsOf(t, c)
	for _, n := range []int32{3, 1, 0, 2} {
		c.scale(t, n)
		status := c.Settled(t)
		now := c.Has(t, flamev1alpha1.ComponentExecutorManager, int(n))
		assert.Truef(t, now.Contains(before) || before.Contains(now),
			"scaling to %d only adds or only removes: there were %v, and there are %v", n, before, now)
		assert.EqualValues(t, n, status.ExecutorManager.Replicas)
		assertScale(t, c, n, n)
		before = now
	}
	assert.Equal(t, sessionManager, c.Living(t, flamev1alpha1.ComponentSessionManager), "the session manager is not concerned")
}

// assertScale looks at the cluster as an autoscaler of Kubernetes would: so many
// executor managers were asked for, and so many there are.
func assertScale(t *testing.T, c flameCluster, asked, n int32) {
	t.Helper()
	object, err := c.Get(t.Context())
	require.NoError(t, err)
	scale := &autoscalingv1.Scale{}
	require.NoError(t, k8s.SubResource("scale").Get(t.Context(), object, scale))
	assert.Equal(t, asked, scale.Spec.Replicas)
	assert.Equal(t, n, scale.Status.Replicas)
	selector, err := labels.Parse(scale.Status.Selector)
	require.NoError(t, err)
	selected := &corev1.PodList{}
	require.NoError(t, k8s.List(t.Context(), selected, client.InNamespace(c.Namespace), client.MatchingLabelsSelector{Selector: selector}))
	assert.Len(t, selected.Items, int(n), "the pods that the scale's selector selects")
}

func TestNoNodeRunsMoreThanMaxExecutors(t *testing.T) {
	t.Parallel()
	for _, maxExecutors := range []int32{1, 2} {
		t.Run(fmt.Sprint(maxExecutors), func(t *testing.T) {
			t.Parallel()
			assertNeverMoreAtOnce(t, maxExecutors)
		})
	}
}

// assertNeverMoreAtOnce watches the executors while there are more tasks than
// there is room for.
func assertNeverMoreAtOnce(t *testing.T, maxExecutors int32) {
	const session, tasks = "crowd", 24
	c := create(t, newNamespace(t), "flame", replicas(0), func(spec *flamev1alpha1.FlameClusterSpec) {
		spec.ExecutorManager.MaxExecutors = maxExecutors
	})
	c.Settled(t)
	c.Says(t, flamev1alpha1.ConditionExecutorsReady, metav1.ConditionTrue, flamev1alpha1.ReasonNoneWanted)
	api := c.Flame(t)
	api.Session(t, session, tasks, 500)
	steadily(t, "tasks wait while there are no executor managers", func(ctx context.Context) error {
		counts, err := api.Tasks(ctx, session)
		if err == nil && counts[flamev1.TaskState_TASK_STATE_PENDING] != tasks {
			err = fmt.Errorf("the tasks are %v", counts)
		}
		return err
	})

	c.scale(t, 2)
	most := 0
	eventually(t, "the tasks succeed", func(ctx context.Context) error {
		busy, err := api.Busy(ctx)
		if err != nil {
			return err
		}
		for node, n := range busy {
			require.LessOrEqualf(t, n, int(maxExecutors), "executors at work at once on node %s", node)
			most = max(most, n)
		}
		return api.HaveSucceeded(ctx, session, tasks)
	})
	assert.EqualValues(t, maxExecutors, most, "the most executors that were at work on one node")
}
