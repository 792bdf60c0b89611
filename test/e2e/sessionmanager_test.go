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
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/test/live"
)

// Enough tasks to be in the middle of them for a while.
const (
	manyTasks    = 40
	milliseconds = 500
	someTasks    = 4
)

// inTheMiddle waits until some tasks of a session have succeeded.
func inTheMiddle(t *testing.T, api live.Flame, session string) {
	t.Helper()
	eventually(t, "some tasks have succeeded", func(ctx context.Context) error {
		counts, err := api.Tasks(ctx, session)
		if err == nil && counts[flamev1.TaskState_TASK_STATE_SUCCEED] < someTasks {
			err = fmt.Errorf("its tasks are %v", counts)
		}
		return err
	})
	counts, err := api.Tasks(t.Context(), session)
	require.NoError(t, err)
	require.Lessf(t, counts[flamev1.TaskState_TASK_STATE_SUCCEED], manyTasks, "too late: the tasks are %v", counts)
}

func TestSessionManagerDiesWhileTasksRun(t *testing.T) {
	t.Parallel()
	const session = "survivor"
	c := create(t, newNamespace(t), "flame", replicas(2))
	c.Settled(t)
	before := c.AllLiving(t)
	api := c.Flame(t)
	api.Session(t, session, manyTasks, milliseconds)
	inTheMiddle(t, api, session)

	name := naming.SessionManager(c.Name)
	kill(t, c.Namespace, name, sessionManager, "flame-session-manager")
	eventually(t, "its container is started again", func(ctx context.Context) error {
		pod, err := getPod(ctx, c.Namespace, name)
		if err != nil {
			return err
		}
		if status := pod.Status.ContainerStatuses[0]; status.RestartCount == 0 || !status.Ready {
			return fmt.Errorf("restarts: %d, ready: %t", status.RestartCount, status.Ready)
		}
		return nil
	})
	api.Succeed(t, session, manyTasks)
	c.Settled(t)
	assert.Equal(t, before, c.AllLiving(t), "it is started again in its pod, and the executor managers connect again")
}

func TestSessionManagerIsReplacedWhileTasksRun(t *testing.T) {
	t.Parallel()
	const session = "survivor"
	c := create(t, newNamespace(t), "flame", replicas(2), withClaim)
	c.Settled(t)
	working, old := c.Living(t, executors), c.Living(t, sessionManager)
	api := c.Flame(t)
	api.Session(t, session, manyTasks, milliseconds)
	inTheMiddle(t, api, session)

	events := c.watch(t, sessionManager)
	c.Apply(t, func(spec *flamev1alpha1.FlameClusterSpec) { spec.SessionManager.ScheduleIntervalMilliseconds = 150 })
	eventually(t, "the session manager is replaced", isReplaced(t, c, sessionManager, old))
	api.Succeed(t, session, manyTasks)
	c.Settled(t)
	assert.Equal(t, working, c.Living(t, executors), "the executor managers stay, and connect again")
	assertWithdrawnFirst(t, events())

	nodes, err := api.Nodes(t.Context())
	require.NoError(t, err)
	for name := range working {
		assert.Equal(t, flamev1.NodeState_NODE_STATE_READY, nodes[name], "node %s", name)
	}
}

// watch follows the pods of a component. What it returns ends it and returns
// the pods as they were after each change.
func (c flameCluster) watch(t *testing.T, component string) func() []watch.Event {
	t.Helper()
	watcher, err := k8s.Watch(t.Context(), &corev1.PodList{}, client.InNamespace(c.Namespace), client.MatchingLabels{
		flamev1alpha1.LabelCluster: c.Name, flamev1alpha1.LabelComponent: component,
	})
	require.NoError(t, err)
	var events []watch.Event
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event := range watcher.ResultChan() {
			// A watch that is stopped may end with an error.
			if _, ok := event.Object.(*corev1.Pod); ok {
				events = append(events, event)
			}
		}
	}()
	return func() []watch.Event {
		watcher.Stop()
		<-done
		return events
	}
}

// assertWithdrawnFirst makes sure that a pod had left its Service when it was
// deleted, and was gone when the next one was made.
func assertWithdrawnFirst(t *testing.T, events []watch.Event) {
	t.Helper()
	var pods []string // One after the other, each as its UID and what became of it.
	current := map[string]bool{}
	for _, event := range events {
		pod := event.Object.(*corev1.Pod)
		uid := string(pod.UID)
		switch event.Type {
		case watch.Added:
			pods = append(pods, uid)
			current[uid] = true
			assert.Lenf(t, current, 1, "there are never two session managers")
		case watch.Deleted:
			delete(current, uid)
		}
		if pod.DeletionTimestamp != nil {
			assert.Equal(t, "false", pod.Labels[flamev1alpha1.LabelServing], "a pod that is deleted had left its Service")
		}
	}
	assert.Len(t, pods, 2, "the old one and the new one")
}
