// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"k8s.io/utils/ptr"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/naming"
)

// Flame is a client of a cluster's session manager, from outside.
type Flame struct {
	flamev1.FrontendClient
}

// reconnect is quicker than usual: tests wait for it.
var reconnect = backoff.Config{BaseDelay: interval, Multiplier: 1.5, Jitter: 0.2, MaxDelay: 2 * time.Second}

// Flame returns a client that reaches the session manager's pod of the moment.
func (c Cluster) Flame(t *testing.T) Flame {
	t.Helper()
	return Flame{flamev1.NewFrontendClient(c.connect(t, naming.FrontendPort))}
}

// Backend returns a client of the port that executor managers and the operator
// use, for what must not happen.
func (c Cluster) Backend(t *testing.T) flamev1.BackendClient {
	t.Helper()
	return flamev1.NewBackendClient(c.connect(t, naming.BackendPort))
}

func (c Cluster) connect(t *testing.T, port int32) *grpc.ClientConn {
	t.Helper()
	connection, err := grpc.NewClient("passthrough:///session-manager",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: oneLook}),
		grpc.WithContextDialer(c.k.forwardTo(c.Namespace, naming.SessionManager(c.Name), port)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}

// Session opens a session of tasks that take some milliseconds each.
func (f Flame) Session(t *testing.T, id string, tasks, milliseconds int) {
	t.Helper()
	Eventually(t, "session "+id+" is open", func(ctx context.Context) error {
		_, err := f.OpenSession(ctx, &flamev1.OpenSessionRequest{
			SessionId: id, Session: &flamev1.SessionSpec{Application: "flmping", BatchSize: 1},
		})
		return err
	})
	for range tasks {
		require.NoErrorf(t, f.Submit(t.Context(), id, milliseconds), "create a task in session %s", id)
	}
}

// Tasks returns the number of tasks of a session in each state.
func (f Flame) Tasks(ctx context.Context, id string) (map[flamev1.TaskState]int, error) {
	counts := map[flamev1.TaskState]int{}
	err := f.each(ctx, id, func(task *flamev1.Task) { counts[task.GetStatus().GetState()]++ })
	return counts, err
}

func (f Flame) each(ctx context.Context, id string, visit func(*flamev1.Task)) error {
	stream, err := f.ListTask(ctx, &flamev1.ListTaskRequest{SessionId: id})
	if err != nil {
		return err
	}
	for {
		task, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		visit(task)
	}
}

// Succeed waits until all tasks of a session have succeeded.
func (f Flame) Succeed(t *testing.T, id string, tasks int) {
	t.Helper()
	Eventually(t, fmt.Sprintf("all %d tasks of session %s succeed", tasks, id), func(ctx context.Context) error {
		return f.HaveSucceeded(ctx, id, tasks)
	})
}

// HaveSucceeded says what a session has but tasks that have succeeded.
func (f Flame) HaveSucceeded(ctx context.Context, id string, tasks int) error {
	counts, err := f.Tasks(ctx, id)
	if err != nil {
		return err
	}
	if counts[flamev1.TaskState_TASK_STATE_SUCCEED] != tasks {
		return fmt.Errorf("its tasks are %v", counts)
	}
	return nil
}

// Sessions returns the names of all sessions.
func (f Flame) Sessions(ctx context.Context) ([]string, error) {
	list, err := f.ListSession(ctx, &flamev1.ListSessionRequest{})
	names := make([]string, 0, len(list.GetSessions()))
	for _, session := range list.GetSessions() {
		names = append(names, session.GetMetadata().GetId())
	}
	return names, err
}

// Nodes returns the state of each node by its name.
func (f Flame) Nodes(ctx context.Context) (map[string]flamev1.NodeState, error) {
	list, err := f.ListNodes(ctx, &flamev1.ListNodesRequest{})
	states := map[string]flamev1.NodeState{}
	for _, node := range list.GetNodes() {
		states[node.GetMetadata().GetName()] = node.GetStatus().GetState()
	}
	return states, err
}

// Busy returns how many executors of each node hold a session.
func (f Flame) Busy(ctx context.Context) (map[string]int, error) {
	list, err := f.ListExecutor(ctx, &flamev1.ListExecutorRequest{})
	counts := map[string]int{}
	for _, executor := range list.GetExecutors() {
		if ptr.Deref(executor.GetStatus().SessionId, "") != "" {
			counts[executor.GetSpec().GetNode()]++
		}
	}
	return counts, err
}

// Submit adds a task of some milliseconds to a session.
func (f Flame) Submit(ctx context.Context, id string, milliseconds int) error {
	input := fmt.Appendf(nil, `{"duration": %d, "memory": null}`, milliseconds)
	_, err := f.CreateTask(ctx, &flamev1.CreateTaskRequest{Task: &flamev1.TaskSpec{SessionId: id, Input: input}})
	return err
}
