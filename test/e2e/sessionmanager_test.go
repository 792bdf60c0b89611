// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

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

// goesOn waits until more tasks of a session succeed.
func goesOn(t *testing.T, api live.Flame, session string) {
	t.Helper()
	before := 0
	eventually(t, "it goes on with its tasks", func(ctx context.Context) error {
		counts, err := api.Tasks(ctx, session)
		if err != nil {
			return err
		}
		now := counts[flamev1.TaskState_TASK_STATE_SUCCEED]
		if before == 0 {
			before = now
		}
		if now < before+someTasks {
			return fmt.Errorf("its tasks are %v", counts)
		}
		return nil
	})
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

	c.killSessionManager(t, 1)
	api.Succeed(t, session, manyTasks)
	c.Settled(t)
	assert.Equal(t, before, c.AllLiving(t), "it is started again in its pod, and the executor managers connect again")
}

// TestExecutorManagersComeBackToTheSessionManager has the session manager go in
// one way and another while tasks run.
func TestExecutorManagersComeBackToTheSessionManager(t *testing.T) {
	t.Parallel()
	const session, waiting = "survivor", 4
	for name, test := range map[string]struct {
		strike func(t *testing.T, c flameCluster, api live.Flame)
		// stay says that none of them is replaced.
		stay bool
	}{
		"that is killed in its container, twice": {stay: true, strike: func(t *testing.T, c flameCluster, api live.Flame) {
			c.killSessionManager(t, 1)
			goesOn(t, api, session)
			c.killSessionManager(t, 2)
		}},
		"that is replaced for a new image": {stay: true, strike: func(t *testing.T, c flameCluster, _ live.Flame) {
			image := c.otherwise(t)
			c.replaceSessionManager(t, func(spec *flamev1alpha1.FlameClusterSpec) { spec.SessionManager.Image = image })
		}},
		"that is replaced for a changed configuration": {stay: true, strike: func(t *testing.T, c flameCluster, _ live.Flame) {
			events := c.watch(t, sessionManager)
			c.replaceSessionManager(t, func(spec *flamev1alpha1.FlameClusterSpec) { spec.SessionManager.ScheduleIntervalMilliseconds = 150 })
			assertWithdrawnFirst(t, events())
		}},
		"whose pod is force-deleted": {strike: func(t *testing.T, c flameCluster, _ live.Flame) {
			old := c.Living(t, sessionManager)
			deletePod(t, c.Namespace, naming.SessionManager(c.Name), byForce)
			eventually(t, "it is replaced", isReplaced(t, c, sessionManager, old))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// An image by its digest would not tell the version.
			version := func(spec *flamev1alpha1.FlameClusterSpec) { spec.FlameVersion = "0.6.0" }
			c := create(t, newNamespace(t), "flame", replicas(2), withClaim, version)
			c.Settled(t)
			working := c.Living(t, executors)
			api := c.Flame(t)
			stop := api.Feed(t, session, waiting, milliseconds)
			inTheMiddle(t, api, session)

			struck := time.Now()
			test.strike(t, c, api)
			back := time.Now()
			api.Succeed(t, session, stop())
			api.Close(t, session)
			c.WorksEverywhere(t, api, "new")
			c.Settled(t)
			t.Logf("after the strike: there again %.1fs, all work %.1fs; executor managers before %v, and now %v",
				back.Sub(struck).Seconds(), time.Since(struck).Seconds(), working, c.Living(t, executors))
			if test.stay {
				assert.Equal(t, working, c.Living(t, executors), "the executor managers stay, and connect again")
			}
		})
	}
}

// killSessionManager kills it in its container, for the nth time, and waits until
// it is there again.
func (c flameCluster) killSessionManager(t *testing.T, n int32) {
	t.Helper()
	name := naming.SessionManager(c.Name)
	kill(t, c.Namespace, name, sessionManager, "flame-session-manager")
	eventually(t, "its container is started again", func(ctx context.Context) error {
		pod, err := getPod(ctx, c.Namespace, name)
		if err != nil {
			return err
		}
		if status := pod.Status.ContainerStatuses[0]; status.RestartCount < n || !status.Ready {
			return fmt.Errorf("restarts: %d, ready: %t", status.RestartCount, status.Ready)
		}
		return nil
	})
}

func (c flameCluster) replaceSessionManager(t *testing.T, change change) {
	t.Helper()
	old := c.Living(t, sessionManager)
	c.Apply(t, change)
	eventually(t, "the session manager is replaced", isReplaced(t, c, sessionManager, old))
	c.Settled(t)
}

// TestSessionManagerWithoutMemoryGetsNewExecutorManagers has it forget everything
// while tasks run: those of before have executors that it does not know.
func TestSessionManagerWithoutMemoryGetsNewExecutorManagers(t *testing.T) {
	t.Parallel()
	const session = "forgotten"
	for name, test := range map[string]struct {
		storage change
		forget  func(t *testing.T, c flameCluster)
	}{
		"its pod is force-deleted with its volume": {
			storage: func(*flamev1alpha1.FlameClusterSpec) {},
			forget: func(t *testing.T, c flameCluster) {
				deletePod(t, c.Namespace, naming.SessionManager(c.Name), byForce)
			},
		},
		"it has no storage and is killed": {
			storage: func(spec *flamev1alpha1.FlameClusterSpec) {
				spec.SessionManager.Storage.Type = flamev1alpha1.StorageNone
			},
			forget: func(t *testing.T, c flameCluster) { c.killSessionManager(t, 1) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := create(t, newNamespace(t), "flame", replicas(2), test.storage)
			c.Settled(t)
			before := c.Living(t, executors)
			api := c.Flame(t)
			api.Session(t, session, manyTasks, milliseconds)
			inTheMiddle(t, api, session)

			test.forget(t, c)
			eventually(t, "its sessions are forgotten", func(ctx context.Context) error {
				sessions, err := api.Sessions(ctx)
				if err == nil && len(sessions) > 0 {
					err = fmt.Errorf("it has %v", sessions)
				}
				return err
			})
			eventually(t, "all executor managers are replaced", isReplaced(t, c, executors, before))
			c.WorksEverywhere(t, api, "new")
			c.Settled(t)
		})
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
