// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

func TestTasksRunAndTheirSessionEnds(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	c.executorManager("node-a")
	c.createSession("s")
	ids := c.createTasks("s", 5, 10*time.Millisecond)
	c.succeeds(5)

	last := c.task(ids[4])
	assert.Contains(t, string(last.GetSpec().GetOutput()), "Completed on <node-a> in <1")
	assert.Equal(t, 1, c.executions(ids[4]))
	for _, at := range []int64{last.GetStatus().GetCreationTime(), last.GetStatus().GetCompletionTime()} {
		assert.Positive(t, at)
		assert.Zero(t, at%1000, "milliseconds of %d", at)
	}
	e := c.executors("")
	require.Len(t, e, 1)
	assert.Equal(t, "BOUND", c.states("node-a"), "an executor that waits stays with its session")
	ssn, err := c.frontend.CloseSession(t.Context(), &flamev1.CloseSessionRequest{SessionId: "s"})
	require.NoError(t, err)
	assert.Equal(t, flamev1.SessionState_SESSION_STATE_CLOSED, ssn.GetStatus().GetState())
	c.eventually(time.Second, "its executor is gone", func() bool { return len(c.executors("")) == 0 })
	list, err := c.frontend.ListSession(t.Context(), &flamev1.ListSessionRequest{})
	require.NoError(t, err)
	assert.Len(t, list.GetSessions(), 1, "closed sessions stay listed")

	matches, err := filepath.Glob(filepath.Join(c.home, "logs", "f*"))
	require.NoError(t, err)
	require.Len(t, matches, 2)
	assert.Contains(t, strings.Join(matches, " "), "fem-node-a."+time.Now().UTC().Format(time.DateOnly))
}

func TestPolicies(t *testing.T) {
	for name, test := range map[string]struct {
		version  string
		policies string
		runs     bool
		ends     bool
	}{
		"all three":                     {policies: "[priority, drf, gang]", runs: true},
		"without priority":              {policies: "[drf, gang]", runs: true},
		"without gang nothing is made":  {policies: "[priority, drf]"},
		"none at all":                   {policies: "[]"},
		"an unknown one ends it with 0": {policies: "[bogus]", ends: true},
		"newer: gang is unknown":        {version: "0.6.1", policies: "[priority, drf, gang]", ends: true},
		"newer: two are enough":         {version: "v0.6.1", policies: "[priority, drf]", runs: true},
	} {
		if isReal() && test.version != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, "policies: "+test.policies)
			c.environ = []string{"STANDIN_FLAME_VERSION=" + test.version}
			if test.ends {
				p := c.start("flame-session-manager", "session-manager")
				assert.Zero(t, p.exit())
				assert.Contains(t, p.output.String(), "Thread <2> exited with result: Ok(Err(InvalidConfig(")
				return
			}
			c.sessionManager()
			c.executorManager("node")
			c.createSession("s")
			c.createTasks("s", 1, 0)
			if test.runs {
				c.succeeds(1)
				return
			}
			c.never(2*time.Second, "the task leaves Pending", func() bool { return c.counts("s")[0] != 1 || len(c.executors("")) > 0 })
		})
	}
}

func TestHigherPriorityBlocksLower(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	// Nothing ever fits the first session, and still the second gets nothing.
	c.createSession("high", func(s *flamev1.SessionSpec) {
		s.Priority = 1
		s.Resreq = &flamev1.ResourceRequirement{Cpu: 1000, Memory: 1}
	})
	c.createTasks("high", 1, 0)
	c.executorManager("node")
	c.createSession("low")
	c.createTasks("low", 1, 0)
	c.never(2*time.Second, "the lower one gets an executor", func() bool { return len(c.executors("")) > 0 })
}

func TestExecutorsHaveTheirSessionsSize(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	c.executorManager("node")
	want := &flamev1.ResourceRequirement{Cpu: 1, Memory: 12345}
	c.createSession("s", func(s *flamev1.SessionSpec) { s.Resreq = want })
	c.createTasks("s", 1, 0)
	c.succeeds(1)
	got := c.executors("node")[0].GetSpec().GetResreq()
	assert.Equal(t, want.String(), got.String())
}

func TestUnbindWhileATaskRunsLosesNothing(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	c.executorManager("node")
	c.createSession("s")
	ids := c.createTasks("s", 3, 700*time.Millisecond)
	c.runs(1)
	e := c.executors("node")[0]
	c.unbind(e)
	assert.Equal(t, "UNBINDING", c.states("node"))
	c.eventually(10*time.Second, "the task has ended well", func() bool { return c.counts("s")[2] == 1 })
	c.eventually(2*time.Second, "the same executor is bound again", func() bool {
		now := c.executors("node")
		return len(now) == 1 && now[0].GetMetadata().GetId() == e.GetMetadata().GetId() && c.states("node") == "BOUND"
	})
	c.succeeds(3)
	for _, id := range ids {
		assert.Equal(t, 1, c.executions(id), "executions of task %s", id)
	}
}

func TestUnbindOfAWaitingExecutorDropsTheNextTask(t *testing.T) {
	c := newCluster(t)
	sessionManager := c.sessionManager()
	c.executorManager("node")
	c.createSession("s")
	c.createTasks("s", 1, 0)
	c.eventually(10*time.Second, "the first task has succeeded", func() bool { return c.counts("s")[2] == 1 })
	c.unbind(c.executors("node")[0])
	c.createTasks("s", 1, 0)
	c.never(2*time.Second, "the next task is anything but lost", func() bool {
		return c.tasks("s") != "PENDING SUCCEED" || c.counts("s")[1] > 0
	})
	assert.Equal(t, [4]int32{0, 0, 1, 0}, c.counts("s"), "the session does not count it")
	sessionManager.kill()
	c.sessionManager()
	c.eventually(lasts(10*time.Second)+10*time.Second, "a restart brings it back", func() bool { return c.counts("s") == [4]int32{0, 0, 2, 0} })
}

func TestBoundExecutorWaitsForAMinute(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	c.executorManager("node")
	c.createSession("s")
	c.createTasks("s", 1, 0)
	c.succeeds(1)
	c.createSession("other")
	c.createTasks("other", 1, 0)
	c.never(lasts(50*time.Second), "another session gets its place", func() bool { return c.counts("other")[0] != 1 })
	c.eventually(lasts(20*time.Second)+10*time.Second, "it leaves", func() bool { return c.counts("other")[2] == 1 })
}

func TestFailedBindingsBlockTheirSession(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	c.executorManager("node")
	command := "/does/not/exist"
	result, err := c.frontend.RegisterApplication(t.Context(), &flamev1.RegisterApplicationRequest{
		Name: "broken", Application: &flamev1.ApplicationSpec{Command: &command}})
	require.NoError(t, err)
	require.Zero(t, result.GetReturnCode(), result.GetMessage())
	c.createSession("s", func(s *flamev1.SessionSpec) { s.Application = "broken" })
	c.createTasks("s", 1, 0)
	codesOf := func() string {
		ssn, err := c.frontend.GetSession(t.Context(), &flamev1.GetSessionRequest{SessionId: "s"})
		require.NoError(t, err)
		var text strings.Builder
		for _, e := range ssn.GetStatus().GetEvents() {
			fmt.Fprintf(&text, "%d ", e.GetCode())
		}
		return text.String()
	}
	c.eventually(15*time.Second, "its retries are used up", func() bool { return strings.HasSuffix(codesOf(), "1001 1002 ") })
	assert.Equal(t, strings.Repeat("1001 ", 5)+"1002 ", codesOf())
	c.eventually(5*time.Second, "it gets no more executors", func() bool { return len(c.executors("")) == 0 })
}

func TestTaskFailsWithItsInstance(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	c.executorManager("node")
	c.createSession("s")
	created, err := c.frontend.CreateTask(t.Context(), &flamev1.CreateTaskRequest{Task: &flamev1.TaskSpec{SessionId: "s", Input: []byte("no JSON")}})
	require.NoError(t, err)
	c.eventually(10*time.Second, "the task has failed", func() bool { return c.counts("s")[3] == 1 })
	events := c.task(created.GetMetadata().GetId()).GetStatus().GetEvents()
	assert.Equal(t, int32(flamev1.TaskState_TASK_STATE_FAILED), events[len(events)-1].GetCode())
}

func TestErrors(t *testing.T) {
	c := newCluster(t, "limits: {max_sessions: 2}")
	c.sessionManager()
	get := func(id string) codes.Code {
		_, err := c.frontend.GetSession(t.Context(), &flamev1.GetSessionRequest{SessionId: id})
		return status.Code(err)
	}
	assert.Equal(t, codes.NotFound, get("nobody"))
	c.createSession("a")
	_, err := c.frontend.CreateSession(t.Context(), &flamev1.CreateSessionRequest{SessionId: "a", Session: &flamev1.SessionSpec{Application: "flmping"}})
	assert.Equal(t, codes.AlreadyExists, status.Code(err))
	_, err = c.frontend.CreateSession(t.Context(), &flamev1.CreateSessionRequest{SessionId: "b", Session: &flamev1.SessionSpec{Application: "nobody"}})
	assert.Equal(t, codes.NotFound, status.Code(err))
	_, err = c.frontend.DeleteSession(t.Context(), &flamev1.DeleteSessionRequest{SessionId: "a"})
	assert.Equal(t, codes.Internal, status.Code(err))
	_, err = c.backend.RegisterNode(t.Context(), &flamev1.RegisterNodeRequest{})
	assert.Equal(t, codes.InvalidArgument, status.Code(err))
	_, err = c.backend.ReleaseNode(t.Context(), &flamev1.ReleaseNodeRequest{NodeName: "nobody"})
	require.NoError(t, err)
	result, err := c.frontend.RegisterApplication(t.Context(), &flamev1.RegisterApplicationRequest{Name: "flmping", Application: &flamev1.ApplicationSpec{}})
	require.NoError(t, err)
	assert.NotZero(t, result.GetReturnCode(), "errors about applications are in the answer")

	_, err = c.frontend.CloseSession(t.Context(), &flamev1.CloseSessionRequest{SessionId: "a"})
	require.NoError(t, err)
	_, err = c.frontend.CreateTask(t.Context(), &flamev1.CreateTaskRequest{Task: &flamev1.TaskSpec{SessionId: "a"}})
	assert.Equal(t, codes.InvalidArgument, status.Code(err))
	c.createSession("c")
	assert.Equal(t, codes.NotFound, get("a"), "the oldest closed session is evicted")
	c.createSession("d")
	c.createSession("e")
	assert.Equal(t, codes.OK, get("c"), "open sessions may be more than the limit")
	_, err = os.Stat(filepath.Join(c.dir, "state", "sessions", "a"))
	require.NoError(t, err, "what is evicted stays on disk")
}
