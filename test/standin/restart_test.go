// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

func TestSessionManagerComesBackUnderLoad(t *testing.T) {
	c := newCluster(t)
	p := c.sessionManager()
	c.executorManager("a")
	c.executorManager("b")
	c.createSession("s")
	c.createTasks("s", 12, 400*time.Millisecond)
	c.runs(2)
	p.kill()
	c.sessionManager()
	c.eventually(lasts(15*time.Second)+20*time.Second, "all tasks have succeeded", func() bool { return c.counts("s") == [4]int32{0, 0, 12, 0} })
	assert.Equal(t, "READY READY", c.node("a")+" "+c.node("b"))
}

func TestNodeThatDiedWithoutASessionManagerIsAGhost(t *testing.T) {
	c := newCluster(t)
	p := c.sessionManager()
	node := c.executorManager("node")
	c.createSession("s")
	c.createTasks("s", 2, 5*time.Second)
	c.runs(1)
	p.kill()
	node.kill()
	c.sessionManager()
	assert.Equal(t, [4]int32{2, 0, 0, 0}, c.counts("s"), "what ran is pending")
	c.never(lasts(drain)+2*time.Second, "the ghost is given up", func() bool { return c.node("node") != "READY" || c.states("node") != "BOUND" })
	c.fence("node")
	c.eventually(lasts(drain)+slack, "the fence heals it", func() bool { return c.node("node") == "NOT_READY" && c.states("node") == "" })
}

// A session manager that starts anew puts back what ran, and an executor keeps the
// task that it had. When its node is given up, that task is put back once more,
// whatever has become of it.
func TestTaskThatSucceededSinceIsPutBackWithTheGhostThatHadIt(t *testing.T) {
	c := newCluster(t)
	p := c.sessionManager()
	ghost := c.executorManager("ghost")
	c.createSession("s")
	ids := c.createTasks("s", 2, time.Second)
	c.runs(1)
	p.kill()
	ghost.kill()
	c.sessionManager()
	c.executorManager("node")
	c.eventually(15*time.Second, "both tasks have succeeded", func() bool { return c.counts("s") == [4]int32{0, 0, 2, 0} })
	_, err := c.frontend.CloseSession(t.Context(), &flamev1.CloseSessionRequest{SessionId: "s"})
	require.NoError(t, err)
	c.fence("ghost")
	c.eventually(lasts(drain)+slack, "a task of a closed session is pending", func() bool {
		return c.task(ids[0]).GetStatus().GetState() == flamev1.TaskState_TASK_STATE_PENDING
	})
	c.never(time.Second, "it runs", func() bool { return c.task(ids[0]).GetStatus().GetState() != flamev1.TaskState_TASK_STATE_PENDING })
	assert.Equal(t, flamev1.TaskState_TASK_STATE_SUCCEED, c.task(ids[1]).GetStatus().GetState())
}

func TestStorageNoneForgetsEverything(t *testing.T) {
	c := newCluster(t, "storage: none")
	p := c.sessionManager()
	first := c.executorManager("first")
	c.createSession("s")
	c.createTasks("s", 2, 30*time.Second)
	c.runs(1)
	first.kill()
	c.eventually(lasts(drain)+slack, "first is NotReady", func() bool { return c.node("first") == "NOT_READY" })
	assert.Equal(t, int32(1), c.counts("s")[1], "a dead node's task runs forever")
	_, err := c.frontend.CloseSession(t.Context(), &flamev1.CloseSessionRequest{SessionId: "s"})
	assert.Equal(t, codes.Internal, status.Code(err), "and its session cannot be closed")
	p.kill()
	c.sessionManager()
	_, err = c.frontend.GetSession(t.Context(), &flamev1.GetSessionRequest{SessionId: "s"})
	assert.Equal(t, codes.NotFound, status.Code(err))
	assert.Empty(t, c.node("first"))
}

func TestClosedSessionsAndHistorySurvive(t *testing.T) {
	c := newCluster(t)
	p := c.sessionManager()
	c.executorManager("node")
	c.createSession("s", func(s *flamev1.SessionSpec) { s.CommonData = []byte("data") })
	ids := c.createTasks("s", 1, 0)
	c.succeeds(1)
	_, err := c.frontend.CloseSession(t.Context(), &flamev1.CloseSessionRequest{SessionId: "s"})
	require.NoError(t, err)
	before := c.task(ids[0])
	p.kill()
	c.sessionManager()
	ssn, err := c.frontend.GetSession(t.Context(), &flamev1.GetSessionRequest{SessionId: "s"})
	require.NoError(t, err)
	assert.Equal(t, flamev1.SessionState_SESSION_STATE_CLOSED, ssn.GetStatus().GetState())
	assert.Equal(t, "data", string(ssn.GetSpec().GetCommonData()))
	after := c.task(ids[0])
	assert.Equal(t, string(before.GetSpec().GetOutput()), string(after.GetSpec().GetOutput()))
	assert.Len(t, after.GetStatus().GetEvents(), len(before.GetStatus().GetEvents()))
	_, err = c.frontend.DeleteSession(t.Context(), &flamev1.DeleteSessionRequest{SessionId: "s"})
	require.NoError(t, err)
}
