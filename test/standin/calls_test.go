// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

// What tests ask of a session manager, each in one line.

func (c *cluster) applications() []*flamev1.Application {
	list, err := c.frontend.ListApplication(c.t.Context(), &flamev1.ListApplicationRequest{})
	require.NoError(c.t, err)
	return list.GetApplications()
}

// node is a node's state, "" if there is no such node.
func (c *cluster) node(name string) string {
	list, err := c.frontend.ListNodes(c.t.Context(), &flamev1.ListNodesRequest{})
	require.NoError(c.t, err)
	for _, n := range list.GetNodes() {
		if n.GetMetadata().GetName() == name {
			return strings.TrimPrefix(n.GetStatus().GetState().String(), "NODE_STATE_")
		}
	}
	return ""
}

// executors are the executors on a node, on all if the name is "".
func (c *cluster) executors(node string) []*flamev1.Executor {
	list, err := c.frontend.ListExecutor(c.t.Context(), &flamev1.ListExecutorRequest{})
	require.NoError(c.t, err)
	return slices.DeleteFunc(list.GetExecutors(), func(e *flamev1.Executor) bool {
		return node != "" && e.GetSpec().GetNode() != node
	})
}

// states are the states of a node's executors, in order.
func (c *cluster) states(node string) string {
	var states []string
	for _, e := range c.executors(node) {
		states = append(states, strings.TrimPrefix(e.GetStatus().GetState().String(), "EXECUTOR_STATE_"))
	}
	slices.Sort(states)
	return strings.Join(states, " ")
}

func (c *cluster) createSession(id string, change ...func(*flamev1.SessionSpec)) {
	c.t.Helper()
	spec := &flamev1.SessionSpec{Application: "flmping", BatchSize: 1}
	for _, f := range change {
		f(spec)
	}
	_, err := c.frontend.CreateSession(c.t.Context(), &flamev1.CreateSessionRequest{SessionId: id, Session: spec})
	require.NoError(c.t, err)
}

// createTasks adds tasks that take as long as is said, and returns their ids.
func (c *cluster) createTasks(session string, count int, duration time.Duration) []string {
	c.t.Helper()
	ids := make([]string, 0, count)
	for range count {
		task, err := c.frontend.CreateTask(c.t.Context(), &flamev1.CreateTaskRequest{Task: &flamev1.TaskSpec{
			SessionId: session, Input: fmt.Appendf(nil, `{"duration":%d,"memory":null}`, duration.Milliseconds())}})
		require.NoError(c.t, err)
		ids = append(ids, task.GetMetadata().GetId())
	}
	return ids
}

func (c *cluster) task(id string) *flamev1.Task {
	task, err := c.frontend.GetTask(c.t.Context(), &flamev1.GetTaskRequest{SessionId: "s", TaskId: id})
	require.NoError(c.t, err)
	return task
}

func (c *cluster) listTasks(session string) []*flamev1.Task {
	stream, err := c.frontend.ListTask(c.t.Context(), &flamev1.ListTaskRequest{SessionId: session})
	require.NoError(c.t, err)
	var tasks []*flamev1.Task
	for {
		task, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return tasks
		}
		require.NoError(c.t, err)
		tasks = append(tasks, task)
	}
}

// tasks are the states of a session's tasks as ListTask has them, in order.
func (c *cluster) tasks(session string) string {
	var states []string
	for _, task := range c.listTasks(session) {
		states = append(states, strings.TrimPrefix(task.GetStatus().GetState().String(), "TASK_STATE_"))
	}
	slices.Sort(states)
	return strings.Join(states, " ")
}

// share is the size of executors of which so many fit into a node. Every node
// says that it has the host's memory.
func (c *cluster) share(executors uint64) func(*flamev1.SessionSpec) {
	list, err := c.frontend.ListNodes(c.t.Context(), &flamev1.ListNodesRequest{})
	require.NoError(c.t, err)
	require.NotEmpty(c.t, list.GetNodes())
	memory := list.GetNodes()[0].GetStatus().GetAllocatable().GetMemory()
	return func(s *flamev1.SessionSpec) { s.Resreq = &flamev1.ResourceRequirement{Memory: memory / executors} }
}

// counts says how many tasks a session has pending, running, succeeded, failed.
func (c *cluster) counts(session string) [4]int32 {
	ssn, err := c.frontend.GetSession(c.t.Context(), &flamev1.GetSessionRequest{SessionId: session})
	require.NoError(c.t, err)
	s := ssn.GetStatus()
	return [4]int32{s.GetPending(), s.GetRunning(), s.GetSucceed(), s.GetFailed()}
}

// executions counts how often a task of session s was started, by its events.
func (c *cluster) executions(id string) int {
	count := 0
	for _, e := range c.task(id).GetStatus().GetEvents() {
		if e.GetCode() == int32(flamev1.TaskState_TASK_STATE_RUNNING) {
			count++
		}
	}
	return count
}

// runs waits until session s runs so many tasks.
func (c *cluster) runs(running int32) {
	c.t.Helper()
	c.eventually(15*time.Second, fmt.Sprintf("%d tasks run", running), func() bool { return c.counts("s")[1] == running })
}

// succeeds waits until session s's tasks have all succeeded.
func (c *cluster) succeeds(tasks int32) {
	c.t.Helper()
	c.eventually(15*time.Second, fmt.Sprintf("all %d tasks have succeeded", tasks), func() bool {
		return c.counts("s") == [4]int32{0, 0, tasks, 0}
	})
}

func (c *cluster) releaseNode(name string) {
	c.t.Helper()
	_, err := c.backend.ReleaseNode(c.t.Context(), &flamev1.ReleaseNodeRequest{NodeName: name})
	require.NoError(c.t, err)
}

func (c *cluster) unbind(e *flamev1.Executor) {
	c.t.Helper()
	_, err := c.backend.UnbindExecutor(c.t.Context(), &flamev1.UnbindExecutorRequest{ExecutorId: e.GetMetadata().GetId()})
	require.NoError(c.t, err)
}

// nothingOf is the status of a node that can hold nothing.
func nothingOf() *flamev1.NodeStatus {
	return &flamev1.NodeStatus{
		State:       flamev1.NodeState_NODE_STATE_READY,
		Capacity:    &flamev1.ResourceRequirement{},
		Allocatable: &flamev1.ResourceRequirement{},
		Info:        &flamev1.NodeInfo{},
	}
}

func (c *cluster) register(name string, status *flamev1.NodeStatus, executors ...*flamev1.Executor) {
	c.t.Helper()
	_, err := c.backend.RegisterNode(c.t.Context(), &flamev1.RegisterNodeRequest{
		Node: &flamev1.Node{
			Metadata: &flamev1.Metadata{Id: name, Name: name},
			Spec:     &flamev1.NodeSpec{Hostname: name},
			Status:   status,
		},
		Executors: executors,
	})
	require.NoError(c.t, err)
}

// fence registers a node whose process is gone as one that can hold nothing,
// with the executors it is said to have, and lets its stream end.
func (c *cluster) fence(name string) {
	c.t.Helper()
	c.register(name, nothingOf(), c.executors(name)...)
	stream := c.watch(name, nothingOf())
	require.NoError(c.t, stream.CloseSend())
}

// arrivals are the executors that a node hears of on its stream, by their IDs.
func arrivals(stream flamev1.Backend_WatchNodeClient) <-chan string {
	arrived := make(chan string, 16)
	go func() {
		for {
			response, err := stream.Recv()
			if err != nil {
				return
			}
			if e := response.GetExecutor(); e != nil {
				arrived <- e.GetMetadata().GetId()
			}
		}
	}()
	return arrived
}

// watch opens a node's stream and returns it once its heartbeat was answered.
func (c *cluster) watch(name string, status *flamev1.NodeStatus) flamev1.Backend_WatchNodeClient {
	c.t.Helper()
	return c.watchIn(c.t.Context(), name, status)
}

func (c *cluster) watchIn(ctx context.Context, name string, status *flamev1.NodeStatus) flamev1.Backend_WatchNodeClient {
	c.t.Helper()
	stream, err := c.backend.WatchNode(ctx)
	require.NoError(c.t, err)
	require.NoError(c.t, stream.Send(&flamev1.WatchNodeRequest{Heartbeat: &flamev1.NodeHeartbeat{NodeName: name, Status: status}}))
	for {
		response, err := stream.Recv()
		require.NoError(c.t, err)
		if response.GetAck() != nil {
			return stream
		}
	}
}
