// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build olm

package olm

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/test/live"
)

const (
	// taskMilliseconds is how long a task takes.
	taskMilliseconds = 300
	// ahead is how many tasks are always waiting or running.
	ahead = 8
)

// load keeps a cluster at work: there is always a task to run. All tasks are of
// one session, since executors stay with a session for a while after its last.
type load struct {
	cluster live.Cluster
	flame   live.Flame

	stop    context.CancelFunc
	ended   chan error
	created int
}

// session is the one that all tasks are of.
const session = "load"

// newLoad connects to a cluster, for as long as t lasts.
func newLoad(t *testing.T, c live.Cluster) *load {
	t.Helper()
	l := &load{cluster: c, flame: c.Flame(t), stop: func() {}}
	t.Cleanup(func() { l.stop() })
	l.flame.Session(t, session, 0, taskMilliseconds)
	return l
}

// begin submits tasks until ends is called.
func (l *load) begin() {
	var ctx context.Context
	ctx, l.stop = context.WithCancel(context.Background())
	l.ended = make(chan error, 1)
	go func() { l.ended <- l.submit(ctx) }()
}

func (l *load) submit(ctx context.Context) error {
	for ctx.Err() == nil {
		counts, err := l.flame.Tasks(ctx, session)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list the tasks of session %s: %w", session, err)
		}
		for range ahead - (l.created - counts[flamev1.TaskState_TASK_STATE_SUCCEED]) {
			if err := l.flame.Submit(context.WithoutCancel(ctx), session, taskMilliseconds); err != nil {
				return fmt.Errorf("create a task in session %s: %w", session, err)
			}
			l.created++
		}
		time.Sleep(taskMilliseconds / 2 * time.Millisecond)
	}
	return nil
}

// done is how many tasks have succeeded.
func (l *load) done(ctx context.Context) (int, error) {
	counts, err := l.flame.Tasks(ctx, session)
	return counts[flamev1.TaskState_TASK_STATE_SUCCEED], err
}

// hold keeps the session manager of a cluster from ending once it is told to,
// until release is called.
func hold(t *testing.T, c live.Cluster) (release func()) {
	t.Helper()
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = c.Namespace, naming.SessionManager(c.Name)
	patch := func(finalizers string) client.Patch {
		return client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":`+finalizers+`}}`))
	}
	require.NoError(t, k8s.Patch(t.Context(), pod, patch(`["flame.xflops.io/test"]`)))
	held := true
	release = func() {
		if held {
			held = false
			assert.NoError(t, k8s.Patch(context.Background(), pod, patch("null")))
		}
	}
	t.Cleanup(release)
	return release
}

// goesOn waits until some more tasks have succeeded than have now.
func (l *load) goesOn(t *testing.T) {
	t.Helper()
	before, err := l.done(t.Context())
	require.NoError(t, err)
	eventually(t, l.cluster.Name+": tasks go on", func(ctx context.Context) error {
		now, err := l.done(ctx)
		if err == nil && now < before+ahead {
			err = fmt.Errorf("%d have succeeded, and %d before", now, before)
		}
		return err
	})
}

// ends submits no more, waits for all tasks and returns how many there were,
// once it is sure that each has run exactly once.
func (l *load) ends(t *testing.T) int {
	t.Helper()
	l.stop()
	require.NoError(t, <-l.ended)
	l.flame.Succeed(t, session, l.created)
	executions, err := l.flame.Executions(t.Context(), session)
	require.NoError(t, err)
	assert.Len(t, executions, l.created, "no task of session %s is lost", session)
	for task, times := range executions {
		assert.Equalf(t, 1, times, "executions of task %s of session %s", task, session)
	}
	return l.created
}
