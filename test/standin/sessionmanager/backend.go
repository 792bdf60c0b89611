// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package sessionmanager

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/standin/pace"
)

// heartbeatTimeout is how long a stream may be silent.
const heartbeatTimeout = 15 * time.Second

// backend serves executor managers on port P+1.
type backend struct {
	flamev1.UnimplementedBackendServer
	state *State
}

// result runs a call that answers with nothing but its success.
func (b *backend) result(call func() error) (*flamev1.Result, error) {
	if err := b.state.do(call); err != nil {
		return nil, err
	}
	return &flamev1.Result{}, nil
}

func (b *backend) RegisterNode(_ context.Context, req *flamev1.RegisterNodeRequest) (*flamev1.Result, error) {
	if req.GetNode() == nil {
		return nil, invalidState("node is required")
	}
	return b.result(func() error { return b.state.registerNode(nodeOf(req.GetNode()), req.GetExecutors()) })
}

func (b *backend) ReleaseNode(_ context.Context, req *flamev1.ReleaseNodeRequest) (*flamev1.Result, error) {
	return b.result(func() error { return b.state.releaseNode(req.GetNodeName()) })
}

func (b *backend) RegisterExecutor(_ context.Context, req *flamev1.RegisterExecutorRequest) (*flamev1.Result, error) {
	if req.GetExecutorSpec() == nil {
		return nil, invalidState("no executor spec")
	}
	return b.result(func() error { return b.state.registerExecutor(req.GetExecutorId()) })
}

func (b *backend) UnregisterExecutor(_ context.Context, req *flamev1.UnregisterExecutorRequest) (*flamev1.Result, error) {
	return b.result(func() error { return b.state.unregisterExecutor(req.GetExecutorId()) })
}

func (b *backend) BindExecutor(ctx context.Context, req *flamev1.BindExecutorRequest) (*flamev1.BindExecutorResponse, error) {
	ssn, err := b.state.waitForSession(ctx, req.GetExecutorId())
	if err != nil || ssn == nil {
		return &flamev1.BindExecutorResponse{}, err
	}
	response := &flamev1.BindExecutorResponse{}
	return response, b.state.do(func() error {
		app := b.state.applications[ssn.Application]
		if app == nil {
			return notFound("Application %s not found", ssn.Application)
		}
		response.Application, response.Session = app.proto(), ssn.proto(nil)
		return nil
	})
}

func (b *backend) BindExecutorCompleted(_ context.Context, req *flamev1.BindExecutorCompletedRequest) (*flamev1.Result, error) {
	return b.result(func() error { return b.state.bindCompleted(req.GetExecutorId(), req.GetResult()) })
}

func (b *backend) UnbindExecutor(_ context.Context, req *flamev1.UnbindExecutorRequest) (*flamev1.Result, error) {
	return b.result(func() error { return b.state.unbind(req.GetExecutorId()) })
}

func (b *backend) UnbindExecutorCompleted(_ context.Context, req *flamev1.UnbindExecutorCompletedRequest) (*flamev1.Result, error) {
	return b.result(func() error { return b.state.unbindCompleted(req.GetExecutorId()) })
}

func (b *backend) LaunchTask(ctx context.Context, req *flamev1.LaunchTaskRequest) (*flamev1.LaunchTaskResponse, error) {
	task, err := b.state.launchTask(ctx, req.GetExecutorId())
	if err != nil {
		return nil, err
	}
	return &flamev1.LaunchTaskResponse{Task: task}, nil
}

func (b *backend) CompleteTask(_ context.Context, req *flamev1.CompleteTaskRequest) (*flamev1.Result, error) {
	if req.GetTaskResult() == nil {
		return nil, invalidState("no task result when completing task in %s", req.GetExecutorId())
	}
	return b.result(func() error { return b.state.completeTask(req.GetExecutorId(), req.GetTaskResult()) })
}

type watchStream = grpc.BidiStreamingServer[flamev1.WatchNodeRequest, flamev1.WatchNodeResponse]

// WatchNode takes heartbeats until the node closes its side or falls silent;
// then the node drains. Flame leaves its own side open after that, so a caller
// that waits for its end waits forever.
func (b *backend) WatchNode(stream watchStream) error {
	w := &watch{state: b.state, stream: stream}
	if name := w.receive(); name != "" {
		b.state.log.Infof("apiserver::backend", "Node <%s> stream closed, draining", name)
		if err := b.state.do(func() error { return b.state.drain(name) }); err != nil {
			b.state.log.Warnf("apiserver::backend", "Cannot drain node <%s>: %v", name, err)
		}
		<-stream.Context().Done()
	}
	return nil
}

// watch is one stream. Acknowledgements and executors are sent by two goroutines.
type watch struct {
	state  *State
	mu     sync.Mutex
	stream watchStream
}

// receive returns the node's name when the stream is over, "" if it never
// became a node's.
func (w *watch) receive() string {
	heartbeats := make(chan *flamev1.NodeHeartbeat)
	go func() {
		defer close(heartbeats)
		for {
			req, err := w.stream.Recv()
			if err != nil {
				return
			}
			select {
			case heartbeats <- req.GetHeartbeat():
			case <-w.stream.Context().Done():
				return
			}
		}
	}()
	name := ""
	for {
		select {
		case <-time.After(pace.Of(heartbeatTimeout)):
			w.state.log.Warnf("apiserver::backend", "Heartbeat timeout for node <%s>. Closing stream.", name)
			return name
		case heartbeat, open := <-heartbeats:
			if !open {
				return name
			}
			if heartbeat == nil {
				continue
			}
			if name == "" && !w.start(heartbeat.GetNodeName()) {
				return ""
			}
			if name == "" {
				name = heartbeat.GetNodeName()
			}
			if !w.acknowledge(name, heartbeat) {
				return name
			}
		}
	}
}

// start begins to send the node its executors. The node must have registered before.
func (w *watch) start(name string) bool {
	var c *connection
	_ = w.state.do(func() error {
		c = w.state.connections[name]
		return nil
	})
	if c == nil {
		w.state.log.Errorf("apiserver::backend", "No connection for node <%s>. Call RegisterNode first.", name)
		return false
	}
	w.state.log.Infof("apiserver::backend", "Node <%s> starting watch stream", name)
	go func() {
		for e := range c.queue {
			if w.send(&flamev1.WatchNodeResponse{Response: &flamev1.WatchNodeResponse_Executor{Executor: e}}) != nil {
				return
			}
		}
	}()
	return true
}

func (w *watch) acknowledge(name string, heartbeat *flamev1.NodeHeartbeat) bool {
	_ = w.state.do(func() error {
		w.state.heartbeat(name, heartbeat.GetStatus())
		return nil
	})
	ack := &flamev1.Acknowledgement{Timestamp: time.Now().Unix()}
	return w.send(&flamev1.WatchNodeResponse{Response: &flamev1.WatchNodeResponse_Ack{Ack: ack}}) == nil
}

func (w *watch) send(response *flamev1.WatchNodeResponse) error {
	if err := w.stream.Context().Err(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stream.Send(response)
}
