// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package sessionmanager

import (
	"maps"
	"slices"
	"time"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/standin/config"
)

// node is an executor manager, named by its hostname.
type node struct {
	Name        string            `json:"name"`
	State       flamev1.NodeState `json:"state"`
	Capacity    config.Resources  `json:"capacity"`
	Allocatable config.Resources  `json:"allocatable"`
	Arch        string            `json:"arch"`
	OS          string            `json:"os"`
}

// executor is a slot on a node.
type executor struct {
	ID      string                `json:"id"`
	Node    string                `json:"node"`
	Resreq  config.Resources      `json:"resreq"`
	State   flamev1.ExecutorState `json:"state"`
	Session string                `json:"session,omitempty"`
	// Task is 0 when none runs: tasks count from 1.
	Task int64 `json:"task,omitempty"`

	relaunched bool
	// woken is closed and made anew whenever the executor is bound or released.
	woken chan struct{}
}

// session is a queue of tasks.
type session struct {
	ID           string           `json:"id"`
	Application  string           `json:"application"`
	CommonData   []byte           `json:"commonData"`
	MinInstances uint32           `json:"minInstances"`
	MaxInstances *uint32          `json:"maxInstances"`
	BatchSize    uint32           `json:"batchSize"`
	Priority     uint32           `json:"priority"`
	Resreq       config.Resources `json:"resreq"`
	Closed       bool             `json:"closed"`
	// Created and Completed are whole seconds, as Flame stores them.
	Created   int64 `json:"created"`
	Completed int64 `json:"completed,omitempty"`

	tasks map[int64]*task
	// queue holds the pending tasks that an executor can take. A task that was
	// taken and dropped is pending and not in it.
	queue   map[int64]bool
	retries uint32
	// arrival is closed and made anew when a task arrives or the session closes.
	arrival chan struct{}
}

// task is one call of an application.
type task struct {
	ID        int64             `json:"id"`
	State     flamev1.TaskState `json:"state"`
	Input     []byte            `json:"input"`
	Output    []byte            `json:"output"`
	Created   int64             `json:"created"`
	Completed int64             `json:"completed,omitempty"`

	// changed is closed and made anew when those who watch are told.
	changed chan struct{}
}

// event is one entry of a session's or a task's history.
type event struct {
	// Task is 0 for an event of the session itself.
	Task    int64  `json:"task"`
	Code    int32  `json:"code"`
	Message string `json:"message"`
	// Created is in milliseconds.
	Created int64 `json:"created"`
}

// application is a program that sessions call.
type application struct {
	Name    string                   `json:"name"`
	Spec    *flamev1.ApplicationSpec `json:"spec"`
	Created int64                    `json:"created"`
}

func newSession() *session {
	return &session{tasks: map[int64]*task{}, queue: map[int64]bool{}, arrival: make(chan struct{})}
}

// pop takes the oldest task that waits.
func (s *session) pop() *task {
	if len(s.queue) == 0 {
		return nil
	}
	id := slices.Min(slices.Collect(maps.Keys(s.queue)))
	delete(s.queue, id)
	return s.tasks[id]
}

// count says how many tasks are in a state, as the session's status has it.
func (s *session) count(state flamev1.TaskState) int {
	if state == flamev1.TaskState_TASK_STATE_PENDING {
		return len(s.queue)
	}
	count := 0
	for _, task := range s.tasks {
		if task.State == state {
			count++
		}
	}
	return count
}

// set moves a task to a state, into the queue or out of it.
func (s *session) set(task *task, state flamev1.TaskState) {
	task.State = state
	if state == flamev1.TaskState_TASK_STATE_PENDING {
		s.queue[task.ID] = true
	} else {
		delete(s.queue, task.ID)
	}
}

// announce wakes those who wait on a channel that is closed for news.
func announce(channel *chan struct{}) {
	close(*channel)
	*channel = make(chan struct{})
}

func seconds() int64 { return time.Now().Unix() }

func millis() int64 { return time.Now().UnixMilli() }
