// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flametest

import (
	"context"
	"path"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// note counts a call, and runs what a test wants to happen before a call.
func (s *Server) note(method string) {
	verb := path.Base(method)
	s.mu.Lock()
	s.counts[verb]++
	before := s.before
	s.mu.Unlock()
	if before != nil {
		before(verb)
	}
}

type frontend struct {
	flamev1.UnimplementedFrontendServer
	server *Server
}

func (f *frontend) ListSession(context.Context, *flamev1.ListSessionRequest) (*flamev1.SessionList, error) {
	list := &flamev1.SessionList{}
	for _, s := range f.server.State().Sessions {
		list.Sessions = append(list.Sessions, sessionProto(s))
	}
	return list, nil
}

func (f *frontend) ListExecutor(context.Context, *flamev1.ListExecutorRequest) (*flamev1.ExecutorList, error) {
	list := &flamev1.ExecutorList{}
	for _, e := range f.server.State().Executors {
		list.Executors = append(list.Executors, executorProto(e))
	}
	return list, nil
}

func (f *frontend) ListNodes(context.Context, *flamev1.ListNodesRequest) (*flamev1.NodeList, error) {
	list := &flamev1.NodeList{}
	for _, n := range f.server.State().Nodes {
		list.Nodes = append(list.Nodes, nodeProto(n))
	}
	return list, nil
}

func (f *frontend) GetSession(_ context.Context, req *flamev1.GetSessionRequest) (*flamev1.Session, error) {
	for _, s := range f.server.State().Sessions {
		if s.ID == req.GetSessionId() {
			return sessionProto(s), nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "%s", req.GetSessionId())
}

// tasks returns a session's tasks by their IDs, which begin with 1: lost tasks have the IDs
// that they were given, and counted tasks the others.
func (f *frontend) tasks(ctx context.Context, session string) ([]*flamev1.Task, error) {
	ssn, err := f.GetSession(ctx, &flamev1.GetSessionRequest{SessionId: session})
	if err != nil {
		return nil, err
	}
	f.server.mu.Lock()
	lost := f.server.lost[session]
	f.server.mu.Unlock()
	var states []flamev1.TaskState
	for _, counted := range []struct {
		state flamev1.TaskState
		count int32
	}{
		{flamev1.TaskState_TASK_STATE_SUCCEED, ssn.GetStatus().GetSucceed()},
		{flamev1.TaskState_TASK_STATE_FAILED, ssn.GetStatus().GetFailed()},
		{flamev1.TaskState_TASK_STATE_CANCELLED, ssn.GetStatus().GetCancelled()},
		{flamev1.TaskState_TASK_STATE_RUNNING, ssn.GetStatus().GetRunning()},
		{flamev1.TaskState_TASK_STATE_PENDING, ssn.GetStatus().GetPending()},
	} {
		states = append(states, slices.Repeat([]flamev1.TaskState{counted.state}, int(counted.count))...)
	}
	var tasks []*flamev1.Task
	for id := int64(1); len(states) > 0 || slices.Contains(lost, id); id++ {
		state := flamev1.TaskState_TASK_STATE_PENDING
		if !slices.Contains(lost, id) {
			state, states = states[0], states[1:]
		}
		tasks = append(tasks, &flamev1.Task{
			Metadata: named(strconv.FormatInt(id, 10)), Status: &flamev1.TaskStatus{State: state},
		})
	}
	return tasks, nil
}

func (f *frontend) GetTask(ctx context.Context, req *flamev1.GetTaskRequest) (*flamev1.Task, error) {
	tasks, err := f.tasks(ctx, req.GetSessionId())
	if err != nil {
		return nil, err
	}
	id, err := strconv.Atoi(req.GetTaskId())
	switch {
	case err != nil:
		return nil, status.Error(codes.InvalidArgument, "invalid task id")
	case id < 1 || id > len(tasks):
		return nil, status.Errorf(codes.NotFound, "%d", id)
	}
	return tasks[id-1], nil
}

// ListTask lists in no order, as Flame does.
func (f *frontend) ListTask(req *flamev1.ListTaskRequest, stream grpc.ServerStreamingServer[flamev1.Task]) error {
	tasks, err := f.tasks(stream.Context(), req.GetSessionId())
	if err != nil {
		return err
	}
	slices.Reverse(tasks)
	for _, task := range tasks {
		if err := stream.Send(task); err != nil {
			return err
		}
	}
	return nil
}

type backend struct {
	flamev1.UnimplementedBackendServer
	server *Server
}

// do carries out a call, which is noted if it succeeds.
func (b *backend) do(call Call, effect func(*observation.Observation) error) (*flamev1.Result, error) {
	b.server.mu.Lock()
	intercept := b.server.intercept
	b.server.mu.Unlock()
	act := func() error {
		b.server.mu.Lock()
		defer b.server.mu.Unlock()
		err := effect(&b.server.state)
		if err == nil {
			b.server.calls = append(b.server.calls, call)
		}
		return err
	}
	if intercept == nil {
		intercept = func(_ Call, effect func() error) error { return effect() }
	}
	if err := intercept(call, act); err != nil {
		return nil, err
	}
	return &flamev1.Result{}, nil
}

func (b *backend) RegisterNode(_ context.Context, req *flamev1.RegisterNodeRequest) (*flamev1.Result, error) {
	n := nodeOf(req.GetNode())
	n.State = observation.Ready
	call := Call{Verb: "RegisterNode", Name: n.Name, Allocatable: n.Allocatable}
	for _, e := range req.GetExecutors() {
		call.Executors = append(call.Executors, e.GetMetadata().GetId())
	}
	return b.do(call, func(o *observation.Observation) error {
		o.Nodes = append(without(o.Nodes, n.Name), n)
		return nil
	})
}

func (b *backend) ReleaseNode(_ context.Context, req *flamev1.ReleaseNodeRequest) (*flamev1.Result, error) {
	return b.do(Call{Verb: "ReleaseNode", Name: req.GetNodeName()}, func(o *observation.Observation) error {
		o.Nodes = without(o.Nodes, req.GetNodeName())
		return nil
	})
}

// WatchNode answers heartbeats until the node ends its side, and lets it drain
// then. Like Flame it leaves its own side open.
func (b *backend) WatchNode(stream grpc.BidiStreamingServer[flamev1.WatchNodeRequest, flamev1.WatchNodeResponse]) error {
	name := "" // Whose stream it is, which the first heartbeat says.
	for {
		req, err := stream.Recv()
		if err != nil {
			break
		}
		node := req.GetHeartbeat().GetNodeName()
		_, err = b.do(Call{Verb: "WatchNode", Name: node}, func(*observation.Observation) error {
			name = node
			return nil
		})
		if err != nil { // The stream breaks.
			b.drain(name)
			return err
		}
		ack := &flamev1.WatchNodeResponse_Ack{Ack: &flamev1.Acknowledgement{Timestamp: 1}}
		if stream.Send(&flamev1.WatchNodeResponse{Response: ack}) != nil {
			break
		}
	}
	b.drain(name)
	<-stream.Context().Done()
	return nil
}

// drain is the end of a node's stream.
func (b *backend) drain(name string) {
	b.server.mu.Lock()
	late := b.server.drains
	b.server.mu.Unlock()
	time.Sleep(late)
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	if i := b.server.node(name); i >= 0 {
		b.server.state.Nodes = slices.Clone(b.server.state.Nodes)
		b.server.state.Nodes[i].State = observation.Unknown
	}
}

func (b *backend) RegisterExecutor(_ context.Context, req *flamev1.RegisterExecutorRequest) (*flamev1.Result, error) {
	return b.executor("RegisterExecutor", req.GetExecutorId(), func(e *observation.Executor) (keep, allowed bool) {
		allowed = e.State == observation.Void
		e.State = observation.Idle
		return true, allowed
	})
}

func (b *backend) UnbindExecutor(_ context.Context, req *flamev1.UnbindExecutorRequest) (*flamev1.Result, error) {
	return b.executor("UnbindExecutor", req.GetExecutorId(), func(e *observation.Executor) (keep, allowed bool) {
		allowed = e.Busy()
		e.State = observation.Unbinding
		return true, allowed
	})
}

func (b *backend) UnbindExecutorCompleted(_ context.Context, req *flamev1.UnbindExecutorCompletedRequest) (*flamev1.Result, error) {
	return b.executor("UnbindExecutorCompleted", req.GetExecutorId(), func(e *observation.Executor) (keep, allowed bool) {
		allowed = e.State == observation.Unbinding || e.State == observation.Binding
		e.State, e.Session = observation.Idle, ""
		return true, allowed
	})
}

func (b *backend) UnregisterExecutor(_ context.Context, req *flamev1.UnregisterExecutorRequest) (*flamev1.Result, error) {
	return b.executor("UnregisterExecutor", req.GetExecutorId(), func(e *observation.Executor) (keep, allowed bool) {
		return false, e.State == observation.Binding || e.State == observation.Releasing
	})
}

// executor carries out a call on an executor.
func (b *backend) executor(verb, id string, effect func(*observation.Executor) (keep, allowed bool)) (*flamev1.Result, error) {
	return b.do(Call{Verb: verb, Name: id}, func(o *observation.Observation) error {
		i := slices.IndexFunc(o.Executors, func(e observation.Executor) bool { return e.ID == id })
		if i < 0 {
			return status.Errorf(codes.NotFound, "%s", id)
		}
		e := o.Executors[i]
		keep, allowed := effect(&e)
		if !allowed {
			return status.Errorf(codes.InvalidArgument, "Executor is %s", o.Executors[i].State)
		}
		o.Executors = slices.Clone(o.Executors)
		if o.Executors[i] = e; !keep {
			o.Executors = slices.Delete(o.Executors, i, i+1)
		}
		return nil
	})
}

// node returns the index of a node, or less than 0.
func (s *Server) node(name string) int {
	return slices.IndexFunc(s.state.Nodes, func(n observation.Node) bool { return n.Name == name })
}

func without(nodes []observation.Node, name string) []observation.Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n observation.Node) bool { return n.Name == name })
}
