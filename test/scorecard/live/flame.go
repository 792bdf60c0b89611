// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/scorecard/report"
)

// application is an application that every Flame cluster has, and whose tasks tell where
// they ran.
const application = "flmping"

// frontend speaks with a session manager as a client of Flame does.
type frontend struct {
	flamev1.FrontendClient
	connection *grpc.ClientConn
}

// frontend connects to the endpoint in the status, as a user's program would.
func (c *cluster) frontend(ctx context.Context) (*frontend, error) {
	object, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	return dial(object.Status.SessionManager.Endpoint)
}

func dial(endpoint string) (*frontend, error) {
	address, err := url.Parse(endpoint)
	if err != nil || address.Scheme != "http" || address.Host == "" {
		return nil, report.Failed(fmt.Errorf("status.sessionManager.endpoint is %q, where http://host:port was expected", endpoint))
	}
	connection, err := grpc.NewClient("dns:///"+address.Host, grpc.WithTransportCredentials(insecure.NewCredentials()),
		// The nodes may not have heard of the Service yet.
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", endpoint, err)
	}
	return &frontend{flamev1.NewFrontendClient(connection), connection}, nil
}

func (f *frontend) close() { _ = f.connection.Close() }

// open opens a session.
func (f *frontend) open(ctx context.Context, session string) error {
	_, err := f.CreateSession(ctx, &flamev1.CreateSessionRequest{
		SessionId: session, Session: &flamev1.SessionSpec{Application: application, BatchSize: 1},
	})
	if err != nil {
		return fmt.Errorf("create session %q: %w", session, err)
	}
	return nil
}

// submit adds a task to a session.
func (f *frontend) submit(ctx context.Context, session string, input []byte) (*flamev1.Task, error) {
	task, err := f.CreateTask(ctx, &flamev1.CreateTaskRequest{Task: &flamev1.TaskSpec{SessionId: session, Input: input}})
	if err != nil {
		return nil, fmt.Errorf("create a task in session %q: %w", session, err)
	}
	return task, nil
}

// run runs a task in a session to its end and returns its output.
func (f *frontend) run(ctx context.Context, session string) (string, error) {
	task, err := f.submit(ctx, session, nil)
	if err != nil {
		return "", err
	}
	id := task.GetMetadata().GetId()
	watch, err := f.WatchTask(ctx, &flamev1.WatchTaskRequest{SessionId: session, TaskId: id})
	if err != nil {
		return "", fmt.Errorf("watch task %s of session %q: %w", id, session, err)
	}
	for {
		last, err := watch.Recv()
		if err != nil {
			return "", fmt.Errorf("task %s of session %q was last seen %s: %w", id, session, task.GetStatus().GetState(), err)
		}
		switch task = last; task.GetStatus().GetState() {
		case flamev1.TaskState_TASK_STATE_SUCCEED:
			return string(task.GetSpec().GetOutput()), nil
		case flamev1.TaskState_TASK_STATE_FAILED, flamev1.TaskState_TASK_STATE_CANCELLED:
			return "", fmt.Errorf("task %s of session %q ended %s: %s", id, session, task.GetStatus().GetState(), lastEvent(task))
		}
	}
}

func lastEvent(task *flamev1.Task) string {
	events := task.GetStatus().GetEvents()
	if len(events) == 0 {
		return "it has no events"
	}
	return events[len(events)-1].GetMessage()
}

// end closes and deletes a session.
func (f *frontend) end(ctx context.Context, session string) error {
	_, closeErr := f.CloseSession(ctx, &flamev1.CloseSessionRequest{SessionId: session})
	if closeErr != nil {
		return fmt.Errorf("close session %q: %w", session, closeErr)
	}
	_, err := f.DeleteSession(ctx, &flamev1.DeleteSessionRequest{SessionId: session})
	if err != nil {
		return fmt.Errorf("delete session %q: %w", session, err)
	}
	return nil
}

// has returns nil if there is a session of that name.
func (f *frontend) has(ctx context.Context, session string) error {
	list, err := f.ListSession(ctx, &flamev1.ListSessionRequest{})
	if err != nil {
		return fmt.Errorf("list the sessions: %w", err)
	}
	for _, found := range list.GetSessions() {
		if found.GetMetadata().GetId() == session {
			return nil
		}
	}
	return errors.New("the session manager knows no session " + session)
}
