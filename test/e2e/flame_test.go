// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

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

// flame is a client of a cluster's session manager, from outside.
type flame struct {
	flamev1.FrontendClient
}

// reconnect is quicker than usual: tests wait for it.
var reconnect = backoff.Config{BaseDelay: interval, Multiplier: 1.5, Jitter: 0.2, MaxDelay: 2 * time.Second}

// flame returns a client that reaches the session manager's pod of the moment.
func (c flameCluster) flame(t *testing.T) flame {
	t.Helper()
	connection, err := grpc.NewClient("passthrough:///session-manager",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: oneLook}),
		grpc.WithContextDialer(forwardTo(c.namespace, naming.SessionManager(c.name), naming.FrontendPort)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	return flame{flamev1.NewFrontendClient(connection)}
}

// session opens a session of tasks that take some milliseconds each.
func (f flame) session(t *testing.T, id string, tasks, milliseconds int) {
	t.Helper()
	eventually(t, "session "+id+" is open", func(ctx context.Context) error {
		_, err := f.OpenSession(ctx, &flamev1.OpenSessionRequest{
			SessionId: id, Session: &flamev1.SessionSpec{Application: "flmping", BatchSize: 1},
		})
		return err
	})
	input := fmt.Appendf(nil, `{"duration": %d, "memory": null}`, milliseconds)
	for range tasks {
		_, err := f.CreateTask(t.Context(), &flamev1.CreateTaskRequest{Task: &flamev1.TaskSpec{SessionId: id, Input: input}})
		require.NoErrorf(t, err, "create a task in session %s", id)
	}
}

// tasks returns the number of tasks of a session in each state.
func (f flame) tasks(ctx context.Context, id string) (map[flamev1.TaskState]int, error) {
	stream, err := f.ListTask(ctx, &flamev1.ListTaskRequest{SessionId: id})
	if err != nil {
		return nil, err
	}
	counts := map[flamev1.TaskState]int{}
	for {
		task, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return counts, nil
		}
		if err != nil {
			return nil, err
		}
		counts[task.GetStatus().GetState()]++
	}
}

// succeed waits until all tasks of a session have succeeded.
func (f flame) succeed(t *testing.T, id string, tasks int) {
	t.Helper()
	eventually(t, fmt.Sprintf("all %d tasks of session %s succeed", tasks, id), func(ctx context.Context) error {
		return f.haveSucceeded(ctx, id, tasks)
	})
}

func (f flame) haveSucceeded(ctx context.Context, id string, tasks int) error {
	counts, err := f.tasks(ctx, id)
	if err != nil {
		return err
	}
	if counts[flamev1.TaskState_TASK_STATE_SUCCEED] != tasks {
		return fmt.Errorf("its tasks are %v", counts)
	}
	return nil
}

// sessions returns the names of all sessions.
func (f flame) sessions(ctx context.Context) ([]string, error) {
	list, err := f.ListSession(ctx, &flamev1.ListSessionRequest{})
	names := make([]string, 0, len(list.GetSessions()))
	for _, session := range list.GetSessions() {
		names = append(names, session.GetMetadata().GetId())
	}
	return names, err
}

// nodes returns the state of each node by its name.
func (f flame) nodes(ctx context.Context) (map[string]flamev1.NodeState, error) {
	list, err := f.ListNodes(ctx, &flamev1.ListNodesRequest{})
	states := map[string]flamev1.NodeState{}
	for _, node := range list.GetNodes() {
		states[node.GetMetadata().GetName()] = node.GetStatus().GetState()
	}
	return states, err
}

// busy returns how many executors of each node hold a session.
func (f flame) busy(ctx context.Context) (map[string]int, error) {
	list, err := f.ListExecutor(ctx, &flamev1.ListExecutorRequest{})
	counts := map[string]int{}
	for _, executor := range list.GetExecutors() {
		if ptr.Deref(executor.GetStatus().SessionId, "") != "" {
			counts[executor.GetSpec().GetNode()]++
		}
	}
	return counts, err
}
