// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package sessionmanager

import (
	"context"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

// frontend serves clients on port P.
type frontend struct {
	flamev1.UnimplementedFrontendServer
	state *State
}

func taskID(id int64) string { return strconv.FormatInt(id, 10) }

func parseTaskID(id string) (int64, error) {
	parsed, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return 0, invalidState("invalid task id")
	}
	return parsed, nil
}

// inBand is how calls about applications report errors: in a call that succeeds.
func inBand(err error) *flamev1.Result {
	if err == nil {
		return &flamev1.Result{}
	}
	return &flamev1.Result{ReturnCode: -1, Message: text(status.Convert(err).Message())}
}

func (f *frontend) RegisterApplication(_ context.Context, req *flamev1.RegisterApplicationRequest) (*flamev1.Result, error) {
	if req.GetApplication() == nil {
		return nil, invalidState("application spec is missing")
	}
	return inBand(f.state.do(func() error { return f.state.registerApplication(req.GetName(), req.GetApplication()) })), nil
}

func (f *frontend) UpdateApplication(_ context.Context, req *flamev1.UpdateApplicationRequest) (*flamev1.Result, error) {
	if req.GetApplication() == nil {
		return nil, invalidState("application spec is missing")
	}
	return inBand(f.state.do(func() error { return f.state.updateApplication(req.GetName(), req.GetApplication()) })), nil
}

func (f *frontend) UnregisterApplication(_ context.Context, req *flamev1.UnregisterApplicationRequest) (*flamev1.Result, error) {
	return inBand(f.state.do(func() error { return f.state.unregisterApplication(req.GetName()) })), nil
}

func (f *frontend) GetApplication(_ context.Context, req *flamev1.GetApplicationRequest) (app *flamev1.Application, err error) {
	err = f.state.do(func() error {
		found := f.state.applications[req.GetName()]
		if found == nil {
			return notFound("Application %s not found", req.GetName())
		}
		app = found.proto()
		return nil
	})
	return app, err
}

func (f *frontend) ListApplication(context.Context, *flamev1.ListApplicationRequest) (*flamev1.ApplicationList, error) {
	list := &flamev1.ApplicationList{}
	return list, f.state.do(func() error {
		for _, app := range f.state.applications {
			list.Applications = append(list.Applications, app.proto())
		}
		return nil
	})
}

func (f *frontend) GetNode(_ context.Context, req *flamev1.GetNodeRequest) (*flamev1.GetNodeResponse, error) {
	response := &flamev1.GetNodeResponse{}
	return response, f.state.do(func() error {
		n := f.state.nodes[req.GetName()]
		if n == nil {
			return notFound("node <%s> not found", req.GetName())
		}
		response.Node = n.proto()
		return nil
	})
}

func (f *frontend) ListNodes(context.Context, *flamev1.ListNodesRequest) (*flamev1.NodeList, error) {
	list := &flamev1.NodeList{}
	return list, f.state.do(func() error {
		for _, n := range f.state.nodes {
			list.Nodes = append(list.Nodes, n.proto())
		}
		return nil
	})
}

func (f *frontend) ListExecutor(context.Context, *flamev1.ListExecutorRequest) (*flamev1.ExecutorList, error) {
	list := &flamev1.ExecutorList{}
	return list, f.state.do(func() error {
		for _, e := range f.state.executors {
			list.Executors = append(list.Executors, e.proto())
		}
		return nil
	})
}

// session runs a call that answers with a session, without its history.
func (f *frontend) session(call func() (*session, error)) (answer *flamev1.Session, err error) {
	err = f.state.do(func() error {
		ssn, err := call()
		if err == nil {
			answer = ssn.proto(nil)
		}
		return err
	})
	return answer, err
}

func (f *frontend) CreateSession(_ context.Context, req *flamev1.CreateSessionRequest) (*flamev1.Session, error) {
	if req.GetSession() == nil {
		return nil, invalidState("session spec")
	}
	return f.session(func() (*session, error) { return f.state.createSession(req.GetSessionId(), req.GetSession()) })
}

func (f *frontend) OpenSession(_ context.Context, req *flamev1.OpenSessionRequest) (*flamev1.Session, error) {
	return f.session(func() (*session, error) { return f.state.openSession(req.GetSessionId(), req.GetSession()) })
}

func (f *frontend) CloseSession(_ context.Context, req *flamev1.CloseSessionRequest) (*flamev1.Session, error) {
	return f.session(func() (*session, error) { return f.state.closeSession(req.GetSessionId()) })
}

func (f *frontend) DeleteSession(_ context.Context, req *flamev1.DeleteSessionRequest) (*flamev1.Session, error) {
	return f.session(func() (*session, error) { return f.state.deleteSession(req.GetSessionId()) })
}

func (f *frontend) GetSession(_ context.Context, req *flamev1.GetSessionRequest) (answer *flamev1.Session, err error) {
	err = f.state.do(func() error {
		ssn := f.state.sessions[req.GetSessionId()]
		if ssn == nil {
			return notFound("%s", req.GetSessionId())
		}
		answer = ssn.proto(f.state.events.of(ssn.ID, 0))
		return nil
	})
	return answer, err
}

func (f *frontend) ListSession(context.Context, *flamev1.ListSessionRequest) (*flamev1.SessionList, error) {
	list := &flamev1.SessionList{}
	return list, f.state.do(func() error {
		for _, ssn := range f.state.sessions {
			list.Sessions = append(list.Sessions, ssn.proto(f.state.events.of(ssn.ID, 0)))
		}
		return nil
	})
}

func (f *frontend) CreateTask(_ context.Context, req *flamev1.CreateTaskRequest) (answer *flamev1.Task, err error) {
	if req.GetTask() == nil {
		return nil, status.Error(codes.InvalidArgument, "session spec")
	}
	err = f.state.do(func() (err error) {
		answer, err = f.state.createTask(req.GetTask().GetSessionId(), req.GetTask().Input)
		return err
	})
	return answer, err
}

func (f *frontend) GetTask(_ context.Context, req *flamev1.GetTaskRequest) (answer *flamev1.Task, err error) {
	id, err := parseTaskID(req.GetTaskId())
	if err != nil {
		return nil, err
	}
	err = f.state.do(func() error {
		ssn, t, err := f.state.task(req.GetSessionId(), id)
		if err != nil {
			return err
		}
		answer = t.proto(ssn.ID, f.state.events.of(ssn.ID, t.ID))
		return nil
	})
	return answer, err
}

func (f *frontend) WatchTask(req *flamev1.WatchTaskRequest, stream grpc.ServerStreamingServer[flamev1.Task]) error {
	id, err := parseTaskID(req.GetTaskId())
	if err != nil {
		return err
	}
	return f.state.watchTask(stream.Context(), req.GetSessionId(), id, stream.Send)
}

func (f *frontend) ListTask(req *flamev1.ListTaskRequest, stream grpc.ServerStreamingServer[flamev1.Task]) error {
	var tasks []*flamev1.Task
	err := f.state.do(func() error {
		ssn := f.state.sessions[req.GetSessionId()]
		if ssn == nil {
			return notFound("%s", req.GetSessionId())
		}
		for _, t := range ssn.tasks {
			tasks = append(tasks, t.proto(ssn.ID, nil))
		}
		return nil
	})
	for _, t := range tasks {
		if err := stream.Send(t); err != nil {
			return err
		}
	}
	return err
}
