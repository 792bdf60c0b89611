// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/grpc"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

const (
	taskPending   = flamev1.TaskState_TASK_STATE_PENDING
	taskRunning   = flamev1.TaskState_TASK_STATE_RUNNING
	taskSucceeded = flamev1.TaskState_TASK_STATE_SUCCEED
	taskFailed    = flamev1.TaskState_TASK_STATE_FAILED
)

// queue is a session manager with one session, whose tasks are run by nodes. Its
// time is what is asked of it: after each look at the session the tasks that run
// end, and each node takes another.
type queue struct {
	flamev1.UnimplementedFrontendServer
	flaw flaw

	mu      sync.Mutex
	session string
	nodes   []string
	// tasks are all there are, taken those that a node has taken, in that order, and
	// on the nodes that took them.
	tasks, taken []*flamev1.Task
	on           []string
	given        int
}

// connect says which nodes there are.
func (q *queue) connect(nodes []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.nodes = nodes
}

// load returns how many tasks wait and run.
func (q *queue) load() (waiting, running int32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count(taskPending), q.count(taskRunning)
}

func (q *queue) count(state flamev1.TaskState) (n int32) {
	for _, task := range q.tasks {
		if task.GetStatus().GetState() == state {
			n++
		}
	}
	return n
}

func (q *queue) CreateSession(_ context.Context, in *flamev1.CreateSessionRequest) (*flamev1.Session, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.session = in.GetSessionId()
	return &flamev1.Session{}, nil
}

func (q *queue) CloseSession(context.Context, *flamev1.CloseSessionRequest) (*flamev1.Session, error) {
	return &flamev1.Session{}, nil
}

func (q *queue) DeleteSession(context.Context, *flamev1.DeleteSessionRequest) (*flamev1.Session, error) {
	return &flamev1.Session{}, nil
}

func (q *queue) CreateTask(context.Context, *flamev1.CreateTaskRequest) (*flamev1.Task, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.given++
	task := &flamev1.Task{
		Metadata: &flamev1.Metadata{Id: fmt.Sprint(q.given)}, Spec: &flamev1.TaskSpec{}, Status: &flamev1.TaskStatus{State: taskPending},
	}
	if q.given != third || q.flaw != losesATask {
		q.tasks = append(q.tasks, task)
	}
	return &flamev1.Task{Metadata: task.GetMetadata()}, nil
}

func (q *queue) GetSession(context.Context, *flamev1.GetSessionRequest) (*flamev1.Session, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	session := &flamev1.Session{Status: &flamev1.SessionStatus{Pending: q.count(taskPending), Running: q.count(taskRunning)}}
	nodes := slices.Clone(q.nodes)
	for _, task := range q.tasks {
		switch state := task.GetStatus().GetState(); {
		case state == taskRunning:
			task.Status.State = taskSucceeded
		case state == taskPending && len(nodes) > 0:
			q.take(task, nodes[0])
			nodes = nodes[1:]
		}
	}
	return session, nil
}

// third is the task that fares badly if one has to.
const third = 3

// take has a node execute a task.
func (q *queue) take(task *flamev1.Task, node string) {
	q.taken, q.on = append(q.taken, task), append(q.on, node)
	if q.flaw == newOnesGetNothing {
		node = q.on[0]
	}
	execution := &flamev1.Event{Code: int32(taskRunning)}
	task.Status.State, task.Status.Events = taskRunning, []*flamev1.Event{{Code: int32(taskPending)}, execution}
	task.Spec.Output = fmt.Appendf(nil, `{"message": "Completed on <%s>"}`, node)
	switch {
	case len(q.taken) == third && q.flaw == runsATaskTwice:
		task.Status.Events = append(task.Status.Events, execution)
	case len(q.taken) == third && q.flaw == failsATask:
		task.Status.State = taskFailed
	}
}

func (q *queue) GetTask(_ context.Context, in *flamev1.GetTaskRequest) (*flamev1.Task, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, task := range q.tasks {
		if task.GetMetadata().GetId() == in.GetTaskId() {
			return task, nil
		}
	}
	return nil, fmt.Errorf("no task %s", in.GetTaskId())
}

// ListTask leaves events out, as Flame does.
func (q *queue) ListTask(_ *flamev1.ListTaskRequest, stream grpc.ServerStreamingServer[flamev1.Task]) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, task := range q.tasks {
		if err := stream.Send(&flamev1.Task{Metadata: task.GetMetadata(), Status: &flamev1.TaskStatus{State: task.GetStatus().GetState()}}); err != nil {
			return err
		}
	}
	return nil
}

func (q *queue) ListExecutor(_ context.Context, _ *flamev1.ListExecutorRequest) (*flamev1.ExecutorList, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := &flamev1.ExecutorList{}
	for i, task := range q.taken {
		if task.GetStatus().GetState() == taskRunning {
			list.Executors = append(list.Executors, &flamev1.Executor{
				Spec: &flamev1.ExecutorSpec{Node: q.on[i]}, Status: &flamev1.ExecutorStatus{SessionId: &q.session},
			})
		}
	}
	return list, nil
}
