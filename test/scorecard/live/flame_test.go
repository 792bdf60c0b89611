// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

// sessionManager answers as one whose tasks go through some states and stay in
// the last, unless they have ended.
type sessionManager struct {
	flamev1.UnimplementedFrontendServer
	states   []flamev1.TaskState
	sessions map[string]bool
}

func (s *sessionManager) CreateSession(_ context.Context, in *flamev1.CreateSessionRequest) (*flamev1.Session, error) {
	s.sessions[in.GetSessionId()] = true
	return &flamev1.Session{}, nil
}

func (s *sessionManager) ListSession(context.Context, *flamev1.ListSessionRequest) (*flamev1.SessionList, error) {
	list := &flamev1.SessionList{}
	for id := range s.sessions {
		list.Sessions = append(list.Sessions, &flamev1.Session{Metadata: &flamev1.Metadata{Id: id}})
	}
	return list, nil
}

func (*sessionManager) CloseSession(context.Context, *flamev1.CloseSessionRequest) (*flamev1.Session, error) {
	return &flamev1.Session{}, nil
}

func (s *sessionManager) DeleteSession(_ context.Context, in *flamev1.DeleteSessionRequest) (*flamev1.Session, error) {
	if !s.sessions[in.GetSessionId()] {
		return nil, status.Error(codes.NotFound, "no such session")
	}
	delete(s.sessions, in.GetSessionId())
	return &flamev1.Session{}, nil
}

func (*sessionManager) CreateTask(context.Context, *flamev1.CreateTaskRequest) (*flamev1.Task, error) {
	return &flamev1.Task{Metadata: &flamev1.Metadata{Id: "7"}, Status: &flamev1.TaskStatus{}}, nil
}

func (s *sessionManager) WatchTask(_ *flamev1.WatchTaskRequest, stream grpc.ServerStreamingServer[flamev1.Task]) error {
	for _, state := range s.states {
		task := &flamev1.Task{
			Metadata: &flamev1.Metadata{Id: "7"}, Spec: &flamev1.TaskSpec{Output: []byte("done on <a>")},
			Status: &flamev1.TaskStatus{State: state, Events: []*flamev1.Event{{Message: new("no such file")}}},
		}
		if err := stream.Send(task); err != nil || state >= flamev1.TaskState_TASK_STATE_SUCCEED {
			return err
		}
	}
	<-stream.Context().Done()
	return stream.Context().Err()
}

// serve starts a session manager and connects to it.
func serve(t *testing.T, states ...flamev1.TaskState) *frontend {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	flamev1.RegisterFrontendServer(server, &sessionManager{states: states, sessions: map[string]bool{}})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	flame, err := dial("http://" + listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(flame.close)
	return flame
}

func TestTaskIsFollowedToItsEnd(t *testing.T) {
	const (
		pending   = flamev1.TaskState_TASK_STATE_PENDING
		running   = flamev1.TaskState_TASK_STATE_RUNNING
		succeed   = flamev1.TaskState_TASK_STATE_SUCCEED
		failed    = flamev1.TaskState_TASK_STATE_FAILED
		cancelled = flamev1.TaskState_TASK_STATE_CANCELLED
	)
	for name, test := range map[string]struct {
		states    []flamev1.TaskState
		want      string
		wantError string
	}{
		"one that succeeds gives its output":   {states: []flamev1.TaskState{pending, running, succeed}, want: "done on <a>"},
		"one that fails says why":              {states: []flamev1.TaskState{running, failed}, wantError: "ended TASK_STATE_FAILED: no such file"},
		"one that is cancelled":                {states: []flamev1.TaskState{cancelled}, wantError: "ended TASK_STATE_CANCELLED"},
		"one that is never taken":              {states: []flamev1.TaskState{pending}, wantError: "last seen TASK_STATE_PENDING"},
		"one that never ends":                  {states: []flamev1.TaskState{pending, running}, wantError: "last seen TASK_STATE_RUNNING"},
		"one of which nothing is heard at all": {wantError: "last seen TASK_STATE_PENDING"},
	} {
		t.Run(name, func(t *testing.T) {
			flame := serve(t, test.states...)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			require.NoError(t, flame.open(ctx, "s"))
			output, err := flame.run(ctx, "s")
			if test.wantError != "" {
				require.ErrorContains(t, err, test.wantError)
				require.ErrorContains(t, err, `task 7 of session "s"`)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, output)
			require.NoError(t, flame.has(ctx, "s"))
			require.NoError(t, flame.end(ctx, "s"))
			require.ErrorContains(t, flame.has(ctx, "s"), "knows no session s")
			require.ErrorContains(t, flame.end(ctx, "s"), "no such session")
		})
	}
}

func TestEndpointHasToBeOne(t *testing.T) {
	for _, endpoint := range []string{"", "c.ns.svc:8080", "https://c.ns.svc:8080", "http://"} {
		_, err := dial(endpoint)
		require.ErrorContains(t, err, "status.sessionManager.endpoint", endpoint)
	}
	flame, err := dial("http://127.0.0.1:1")
	require.NoError(t, err)
	defer flame.close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, flame.open(ctx, "s"), `create session "s"`)
}
