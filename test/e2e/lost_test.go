// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/live"
)

// TestATaskThatFlameLosesIsReportedAndComesBack loses a task as Flame does: an
// executor that waits for one is unbound, takes the next and drops it.
func TestATaskThatFlameLosesIsReportedAndComesBack(t *testing.T) {
	t.Parallel()
	const session, before = "forgetful", 2
	c := create(t, newNamespace(t), "flame", withClaim)
	c.Settled(t)
	working, old := c.Living(t, executors), c.Living(t, sessionManager)
	api := c.Flame(t)
	api.Session(t, session, before, 100)
	api.Succeed(t, session, before)

	_, err := c.Backend(t).UnbindExecutor(t.Context(), &flamev1.UnbindExecutorRequest{ExecutorId: waiting(t, api, session)})
	require.NoError(t, err)
	require.NoError(t, api.Submit(t.Context(), session, 100))
	steadily(t, "a task is pending, and not counted", func(ctx context.Context) error { return isLost(ctx, api, session) })

	says := fmt.Sprintf("session %q: %d", session, before+1)
	status := c.Says(t, flamev1alpha1.ConditionSessionManagerReady, metav1.ConditionTrue, flamev1alpha1.ReasonTasksLost, says, "podTemplate")
	assert.Equal(t, int32(1), status.Load.TasksLost)
	assert.Zero(t, status.Load.TasksPending)
	assert.Equal(t, flamev1alpha1.StateRunning, status.State)
	eventually(t, "an event names it", func(ctx context.Context) error { return c.warns(ctx, flamev1alpha1.ReasonTasksLost, says) })
	require.NoError(t, isLost(t.Context(), api, session), "nothing but the replacement brings it back")

	c.Apply(t, func(spec *flamev1alpha1.FlameClusterSpec) {
		annotations := fmt.Sprintf(`{"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": %q}}}`, time.Now().Format(time.RFC3339))
		spec.SessionManager.PodTemplate = &runtime.RawExtension{Raw: []byte(annotations)}
	})
	eventually(t, "the session manager is replaced", isReplaced(t, c, sessionManager, old))
	api.Succeed(t, session, before+1)
	executions, err := api.Executions(t.Context(), session)
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"1": 1, "2": 1, "3": 1}, executions, "how often each task was run")

	status = c.Says(t, flamev1alpha1.ConditionSessionManagerReady, metav1.ConditionTrue, flamev1alpha1.ReasonReady)
	assert.Zero(t, status.Load.TasksLost)
	c.Settled(t)
	assert.Equal(t, working, c.Living(t, executors), "the executor managers stay")
}

// waiting returns the executor that a session without tasks still holds.
func waiting(t *testing.T, api live.Flame, session string) string {
	t.Helper()
	list, err := api.ListExecutor(t.Context(), &flamev1.ListExecutorRequest{})
	require.NoError(t, err)
	for _, executor := range list.GetExecutors() {
		if executor.GetStatus().GetSessionId() == session && executor.GetStatus().GetState() == flamev1.ExecutorState_EXECUTOR_STATE_BOUND {
			return executor.GetMetadata().GetId()
		}
	}
	require.Failf(t, "no executor waits", "%v", list.GetExecutors())
	return ""
}

// isLost fails unless one task is pending in a session that counts none.
func isLost(ctx context.Context, api live.Flame, session string) error {
	tasks, err := api.Tasks(ctx, session)
	if err != nil {
		return err
	}
	counted, err := api.GetSession(ctx, &flamev1.GetSessionRequest{SessionId: session})
	if err != nil {
		return err
	}
	if listed := tasks[flamev1.TaskState_TASK_STATE_PENDING]; listed != 1 || counted.GetStatus().GetPending() != 0 {
		return fmt.Errorf("%d pending tasks are listed, and %d counted", listed, counted.GetStatus().GetPending())
	}
	return nil
}

// warns fails unless there is a warning of the cluster with a reason and words.
func (c flameCluster) warns(ctx context.Context, reason, words string) error {
	list := &eventsv1.EventList{}
	if err := k8s.List(ctx, list, client.InNamespace(c.Namespace)); err != nil {
		return err
	}
	for _, event := range list.Items {
		if event.Regarding.Name == c.Name && event.Type == corev1.EventTypeWarning && event.Reason == reason && strings.Contains(event.Note, words) {
			return nil
		}
	}
	return fmt.Errorf("there is none among %d events", len(list.Items))
}
