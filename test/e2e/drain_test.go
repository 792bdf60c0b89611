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
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/naming"
)

// evict asks for an eviction, as kubectl drain does.
func evict(ctx context.Context, namespace, name string) error {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	return k8s.SubResource("eviction").Create(ctx, pod, &policyv1.Eviction{ObjectMeta: pod.ObjectMeta})
}

// TestBusyExecutorManagersEndTheirTasksFirst never lets its session run out of
// tasks: an executor manager that waited until it is idle would never go. It
// counts how often each task was executed.
func TestBusyExecutorManagersEndTheirTasksFirst(t *testing.T) {
	t.Parallel()
	const session, waiting, milliseconds = "busy", 6, 2000
	for name, test := range map[string]struct {
		act func(t *testing.T, c flameCluster, pods uids)
		// gone is how many of the three executor managers have to be.
		gone int
	}{
		"when the cluster is made smaller": {
			act:  func(t *testing.T, c flameCluster, _ uids) { c.scale(t, 1) },
			gone: 2,
		},
		"when one is evicted": {
			act: func(t *testing.T, c flameCluster, pods uids) {
				require.NoError(t, evict(t.Context(), c.Namespace, anyOf(pods)))
			},
			gone: 1,
		},
		"when they are updated": {
			act: func(t *testing.T, c flameCluster, _ uids) {
				c.Apply(t, func(s *flamev1alpha1.FlameClusterSpec) {
					s.ExecutorManager.Env = []corev1.EnvVar{{Name: "ROLL", Value: "on"}}
				})
			},
			gone: 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := create(t, newNamespace(t), "flame", replicas(3), withClaim)
			c.Settled(t)
			pods := executorsOf(t, c)
			api := c.Flame(t)
			stop := api.Feed(t, session, waiting, milliseconds)
			eventually(t, "every executor manager works", func(ctx context.Context) error { return haveWork(ctx, api, pods, 1) })
			test.act(t, c, pods)
			eventually(t, "those that go are gone", func(ctx context.Context) error { return areGone(ctx, c, pods, test.gone) })
			counts, err := api.Tasks(t.Context(), session)
			require.NoError(t, err)
			assert.NotZero(t, counts[flamev1.TaskState_TASK_STATE_PENDING], "there was always work left for them: %v", counts)
			c.Settled(t)
			tasks := stop()
			api.Succeed(t, session, tasks)
			assertExecutions(t, api, session, tasks, 0)
		})
	}
}

// areGone fails unless enough of the pods do not exist any more.
func areGone(ctx context.Context, c flameCluster, pods uids, want int) error {
	gone := 0
	for name := range pods {
		switch err := k8s.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: name}, &corev1.Pod{}); {
		case apierrors.IsNotFound(err):
			gone++
		case err != nil:
			return err
		}
	}
	if gone < want {
		return fmt.Errorf("%d of %d are", gone, want)
	}
	return nil
}

func TestSessionManagerIsNotEvictedWhileTasksRun(t *testing.T) {
	t.Parallel()
	c := create(t, newNamespace(t), "flame", withClaim)
	c.Settled(t)
	api := c.Flame(t)
	api.Session(t, "long", 1, 20000)
	c.Status(t, "says that a task runs", func(status *flamev1alpha1.FlameClusterStatus) error {
		if status.Load == nil || status.Load.TasksRunning == 0 {
			return fmt.Errorf("the load is %v", status.Load)
		}
		return nil
	})
	eventually(t, "an eviction is refused", func(ctx context.Context) error {
		err := evict(ctx, c.Namespace, naming.SessionManager(c.Name))
		if !apierrors.IsTooManyRequests(err) {
			return fmt.Errorf("the answer is %w", err)
		}
		return nil
	})
	api.Succeed(t, "long", 1)
	eventually(t, "an eviction is allowed when nothing runs", func(ctx context.Context) error {
		return evict(ctx, c.Namespace, naming.SessionManager(c.Name))
	})
	c.Settled(t)
}
