// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/flame"
	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// What internal/nodes takes for proof that a process is gone or has no
// connection, and what it does then.

// silent says whether a node is Ready and has nothing to give.
func (c *cluster) silent(name string) bool {
	node, listed := c.observe().Node(name)
	return listed && node.Silent()
}

func TestAConnectedProcessAnswersAChallenge(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	c.executorManager("node")
	c.createSession("s")
	ids := c.createTasks("s", 3, lasts(6*time.Second))
	c.runs(1)
	before := c.observe()
	require.NoError(t, c.operator().Challenge(t.Context(), "node"))
	require.True(t, c.silent("node"))
	c.eventually(lasts(5*time.Second)+slack, "it answers", func() bool { return !c.silent("node") })
	after := c.observe()
	assert.Equal(t, before.Nodes, after.Nodes)
	require.ErrorIs(t, c.operator().FenceSilent(t.Context(), "node"), flame.ErrConnected)
	c.eventually(lasts(30*time.Second)+slack, "all tasks have succeeded", func() bool { return c.counts("s") == [4]int32{0, 0, 3, 0} })
	for _, id := range ids {
		assert.Equal(t, 1, c.executions(id))
	}
}

func TestAGhostDoesNotAnswerAChallenge(t *testing.T) {
	c := newCluster(t)
	sessionManager := c.sessionManager()
	p := c.executorManager("ghost")
	c.createSession("s")
	ids := c.createTasks("s", 2, lasts(3*time.Second))
	c.runs(1)
	sessionManager.kill()
	p.kill()
	c.sessionManager()
	require.NoError(t, c.operator().Challenge(t.Context(), "ghost"))
	c.never(lasts(20*time.Second), "it answers", func() bool { return !c.silent("ghost") })
	c.executorManager("next")
	require.NoError(t, c.operator().FenceSilent(t.Context(), "ghost"))
	c.eventually(lasts(drain)+slack, "the ghost is NotReady", func() bool { return c.node("ghost") == "NOT_READY" })
	require.NoError(t, c.operator().Release(t.Context(), "ghost"))
	c.eventually(lasts(drain)+slack, "all tasks have succeeded", func() bool { return c.counts("s") == [4]int32{0, 0, 2, 0} })
	// It was put back by the restart, and is once more when the ghost is given up.
	assert.GreaterOrEqual(t, c.executions(ids[0]), 2, "executions of the task that ran on the ghost")
	assert.Equal(t, 1, c.executions(ids[1]))
}

// A process that is partitioned and whose pod was deleted by force lives, and
// may come back after its node was fenced. Its executors work on meanwhile, each
// over calls of its own, and it registers when it has heard nothing for 30 s.
func TestFencingANodeWithoutAConnectionTakesNothingFromAProcessThatComesBack(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	p := c.executorManager("node")
	c.createSession("s")
	ids := c.createTasks("s", 3, 200*time.Millisecond)
	c.runs(1)
	before := c.observe().Executors
	require.NoError(t, p.Process.Signal(syscall.SIGSTOP))
	c.eventually(lasts(15*time.Second)+slack, "node is Unknown", func() bool { return c.node("node") == "UNKNOWN" })
	require.NoError(t, c.operator().FenceSilent(t.Context(), "node"))
	fenced, _ := c.observe().Node("node")
	require.True(t, fenced.Fenced(), "%+v", fenced)
	assert.Equal(t, before, c.observe().Executors)

	require.NoError(t, p.Process.Signal(syscall.SIGCONT))
	c.eventually(lasts(drain)-time.Second, "all tasks have succeeded", func() bool { return c.counts("s") == [4]int32{0, 0, 3, 0} })
	for _, id := range ids {
		assert.Equal(t, 1, c.executions(id))
	}
	c.eventually(lasts(drain)+slack, "node is Ready again, with what it has", func() bool { return c.node("node") == "READY" && !c.silent("node") })
}

func TestADeadNodeIsClearedOfWhatStarvesItsSession(t *testing.T) {
	c := newCluster(t, "resreq: cpu=1,mem=1m")
	c.atFlamesPace()
	c.sessionManager()
	c.register("dead", oneCPU())
	c.watch("dead", oneCPU())
	c.createSession("s")
	ids := c.createTasks("s", 1, 0)
	c.eventually(5*time.Second, "a Void executor sits on it", func() bool { return c.states("dead") == "VOID" })
	require.ErrorIs(t, c.operator().Clear(t.Context(), "dead"), flame.ErrNotFenced)
	require.NoError(t, c.operator().Fence(t.Context(), "dead"))
	c.executorManager("next")
	c.never(2*time.Second, "the next node gets the task", func() bool { return len(c.executors("next")) > 0 })
	c.clear("dead")
	assert.Equal(t, "UNKNOWN", c.node("dead"), "its drain has not ended yet")
	c.succeeds(1)
	assert.Equal(t, 1, c.executions(ids[0]))
	assert.Zero(t, c.observe().Sessions[0].BindFailures)
	require.NoError(t, c.operator().Clear(t.Context(), "dead"), "with nothing left")
}

// An executor that has ended its task and not told that it has left its session
// counts for the session that needs one most.
func TestADeadNodeIsClearedOfWhatHasLeftItsSession(t *testing.T) {
	c := newCluster(t, "resreq: cpu=1,mem=1m")
	c.atFlamesPace()
	c.sessionManager()
	c.register("dead", oneCPU())
	c.watch("dead", oneCPU())
	c.createSession("s")
	ids := c.createTasks("s", 2, 0)
	c.eventually(5*time.Second, "an executor is made", func() bool { return c.states("dead") == "VOID" })
	e := c.executors("dead")[0]
	id := e.GetMetadata().GetId()
	ok := func(_ any, err error) { require.NoError(t, err) }
	ok(c.backend.RegisterExecutor(t.Context(), &flamev1.RegisterExecutorRequest{ExecutorId: id, ExecutorSpec: e.GetSpec()}))
	c.eventually(5*time.Second, "it is promised to the session", func() bool { return c.states("dead") == "BINDING" })
	ok(c.backend.BindExecutorCompleted(t.Context(), &flamev1.BindExecutorCompletedRequest{ExecutorId: id, Result: &flamev1.Result{}}))
	ok(c.backend.LaunchTask(t.Context(), &flamev1.LaunchTaskRequest{ExecutorId: id}))
	ok(c.backend.UnbindExecutor(t.Context(), &flamev1.UnbindExecutorRequest{ExecutorId: id}))
	require.NoError(t, c.operator().Fence(t.Context(), "dead"))
	require.NoError(t, c.operator().Clear(t.Context(), "dead"))
	assert.Equal(t, "UNBINDING", c.states("dead"), "its task runs")
	assert.Equal(t, [4]int32{1, 1, 0, 0}, c.counts("s"))
	ok(c.backend.CompleteTask(t.Context(), &flamev1.CompleteTaskRequest{ExecutorId: id, TaskResult: &flamev1.TaskResult{}}))
	assert.Equal(t, observation.LeavesSession, c.observe().Work()[id])
	c.clear("dead")
	c.executorManager("next")
	assert.Equal(t, "UNKNOWN", c.node("dead"), "its drain has not ended yet")
	c.succeeds(2)
	for _, task := range ids {
		assert.Equal(t, 1, c.executions(task))
	}
}
