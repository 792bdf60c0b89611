// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/flame"
	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// What the operator asks of a session manager and tells it, with the operator's
// own client.

// operator is the operator's client of this cluster's session manager.
func (c *cluster) operator() *flame.Client {
	c.t.Helper()
	client, err := flame.NewClient(flame.Target{
		Frontend: fmt.Sprintf("127.0.0.1:%d", c.port), Backend: fmt.Sprintf("127.0.0.1:%d", c.port+1),
	}, nil, time.Now)
	require.NoError(c.t, err)
	return client
}

func (c *cluster) observe() observation.Observation {
	c.t.Helper()
	o, err := c.operator().Observe(c.t.Context())
	require.NoError(c.t, err)
	return o
}

func TestOperatorSeesWhatRuns(t *testing.T) {
	c := newCluster(t, "resreq: cpu=1,mem=1m")
	c.sessionManager()
	_, err := c.operator().Observe(t.Context())
	require.NoError(t, err, "an empty cluster")
	c.executorManager("node")
	maximum := uint32(1)
	c.createSession("s", func(s *flamev1.SessionSpec) { s.MaxInstances, s.Priority = &maximum, 2 })
	c.createTasks("s", 3, 2*time.Second)
	c.runs(1)

	o := c.observe()
	require.Len(t, o.Sessions, 1)
	require.Len(t, o.Executors, 1)
	s, e, one := o.Sessions[0], o.Executors[0], 1
	assert.WithinDuration(t, time.Now(), s.CreatedAt, time.Minute)
	s.CreatedAt = time.Time{}
	size := observation.Resources{CPU: 1, Memory: 1 << 20}
	assert.Equal(t, observation.Session{
		ID: "s", Application: "flmping", Open: true, Priority: 2, Pending: 2, Running: 1, MaxInstances: &one, BatchSize: 1, Resreq: &size,
	}, s)
	assert.Equal(t, observation.Executor{ID: e.ID, Node: "node", State: observation.Bound, Session: "s", Resreq: size}, e)
	assert.Equal(t, observation.RunsTask, o.Work()[e.ID])
	n, listed := o.Node("node")
	require.True(t, listed)
	assert.Equal(t, observation.Ready, n.State)
	assert.Positive(t, n.Allocatable.CPU)
	assert.Equal(t, n.Capacity, n.Allocatable)

	c.succeeds(3)
	o = c.observe()
	assert.Equal(t, observation.MayWait, o.Work()[e.ID])
	assert.Equal(t, 3, o.Sessions[0].Succeeded)
	_, err = c.frontend.CloseSession(t.Context(), &flamev1.CloseSessionRequest{SessionId: "s"})
	require.NoError(t, err)
	assert.False(t, c.observe().Sessions[0].Open)
}

func TestOperatorSeesABlockedSession(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	c.executorManager("node")
	command := "/does/not/exist"
	_, err := c.frontend.RegisterApplication(t.Context(), &flamev1.RegisterApplicationRequest{
		Name: "broken", Application: &flamev1.ApplicationSpec{Command: &command}})
	require.NoError(t, err)
	started := time.Now().Add(-time.Minute)
	c.createSession("s", func(s *flamev1.SessionSpec) { s.Application = "broken" })
	c.createTasks("s", 1, 0)
	c.eventually(15*time.Second, "its retries are used up", func() bool { return c.observe().Sessions[0].Blocked(started) })
	assert.Equal(t, 5, c.observe().Sessions[0].BindFailures)
	assert.Regexp(t, `^shim creation failed: .*</does/not/exist>`, c.observe().Sessions[0].BlockedWhy)
	assert.False(t, c.observe().Sessions[0].Blocked(time.Now().Add(time.Minute)))
}

func TestOperatorFencesAndReleasesADeadNode(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	first := c.executorManager("first")
	c.createSession("s")
	ids := c.createTasks("s", 2, time.Second)
	c.runs(1)
	require.ErrorIs(t, c.operator().Release(t.Context(), "first"), flame.ErrNotGivenUp)

	first.kill()
	before := c.states("first")
	require.NoError(t, c.operator().Fence(t.Context(), "first"))
	fenced := time.Now()
	n, _ := c.observe().Node("first")
	assert.True(t, n.Fenced(), "%+v", n)
	require.ErrorIs(t, c.operator().Release(t.Context(), "first"), flame.ErrNotGivenUp)
	c.executorManager("second")
	c.eventually(5*time.Second, "second works", func() bool { return c.states("second") == "BOUND" })
	c.eventually(lasts(drain)+slack, "first is NotReady", func() bool {
		assert.LessOrEqual(t, len(c.states("first")), len(before), "executors on a fenced node")
		return c.node("first") == "NOT_READY"
	})
	assert.InDelta(t, lasts(drain).Seconds(), time.Since(fenced).Seconds(), lasts(drain).Seconds()/5+1.5, "seconds from the fence to the end of the drain")
	// Its task is pending again, and the executor that waits on second is not woken by that.
	o := c.observe()
	require.Len(t, o.Executors, 1)
	assert.Equal(t, 1, o.Sessions[0].Pending)
	assert.Equal(t, observation.MayWait, o.Work()[o.Executors[0].ID])
	require.NoError(t, c.operator().Release(t.Context(), "first"))
	c.never(time.Second, "first comes back", func() bool { return c.node("first") != "" || len(c.executors("first")) > 0 })
	c.eventually(lasts(60*time.Second)+30*time.Second, "all tasks have succeeded", func() bool { return c.counts("s") == [4]int32{0, 0, 2, 0} })
	assert.Equal(t, 2, c.executions(ids[0]), "executions of the task that ran on the dead node")
	assert.Equal(t, 1, c.executions(ids[1]))
}

func TestOperatorFencesAGhostAfterARestart(t *testing.T) {
	c := newCluster(t)
	sessionManager := c.sessionManager()
	p := c.executorManager("ghost")
	sessionManager.kill()
	p.kill()
	c.sessionManager()
	c.never(time.Second, "the ghost is anything but Ready", func() bool { return c.node("ghost") != "READY" })
	require.NoError(t, c.operator().Fence(t.Context(), "ghost"))
	c.eventually(lasts(drain)+slack, "the ghost is NotReady", func() bool { return c.node("ghost") == "NOT_READY" })
	require.NoError(t, c.operator().Release(t.Context(), "ghost"))
	assert.Empty(t, c.observe().Nodes)
}

func TestOperatorUnbindsOnlyAnExecutorThatRunsATask(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	c.executorManager("node")
	c.createSession("s")
	ids := c.createTasks("s", 1, 1500*time.Millisecond)
	c.runs(1)
	e := c.observe().Executors[0].ID
	require.NoError(t, c.operator().Unbind(t.Context(), e))
	assert.Equal(t, "UNBINDING", c.states("node"))
	require.ErrorIs(t, c.operator().Unbind(t.Context(), e), flame.ErrMayWait, "a second time")
	c.succeeds(1)
	assert.Equal(t, 1, c.executions(ids[0]))

	c.createTasks("s", 1, 0)
	c.succeeds(2)
	require.Equal(t, "BOUND", c.states("node"))
	require.ErrorIs(t, c.operator().Unbind(t.Context(), c.observe().Executors[0].ID), flame.ErrMayWait, "while it waits")
	c.createTasks("s", 1, 0)
	c.succeeds(3)
	assert.Empty(t, c.lost())
}

// lost is what the operator finds lost of session s, of which it knows that some
// tasks are. It is empty while it cannot be told.
func (c *cluster) lost(known ...int64) []int64 {
	c.t.Helper()
	answers, err := c.operator().LostTasks(c.t.Context(), []observation.Ask{{Session: "s", Known: known}})
	require.NoError(c.t, err)
	require.Len(c.t, answers, 1)
	return answers[0].Tasks
}

func TestOperatorNoticesLostTasks(t *testing.T) {
	c := newCluster(t)
	sessionManager := c.sessionManager()
	c.executorManager("node")
	c.createSession("s")
	assert.Empty(t, c.lost(), "of a session without a task")
	c.createTasks("s", 3, 0)
	c.succeeds(3)
	assert.Empty(t, c.lost(), "of one whose tasks have all ended")
	c.unbind(c.executors("node")[0])
	c.createTasks("s", 1, 0)
	c.eventually(5*time.Second, "a task is lost", func() bool {
		return slices.Equal(c.lost(), []int64{4}) && c.counts("s") == [4]int32{0, 0, 3, 0}
	})

	// Its session goes on with others, and still lacks it.
	c.createTasks("s", 2, 0)
	c.eventually(lasts(60*time.Second)+30*time.Second, "others run", func() bool { return c.counts("s") == [4]int32{0, 0, 5, 0} })
	assert.Equal(t, []int64{4}, c.lost())
	assert.Equal(t, []int64{4}, c.lost(4))

	sessionManager.kill()
	c.sessionManager()
	c.eventually(lasts(10*time.Second)+30*time.Second, "it runs", func() bool { return c.counts("s") == [4]int32{0, 0, 6, 0} })
	assert.Empty(t, c.lost(4), "and is lost no longer")
}

func TestOperatorMistakesNoWaitingTaskForALostOne(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	c.createSession("s")
	c.createTasks("s", 3, 100*time.Millisecond)
	assert.Empty(t, c.lost(), "while there is no executor manager")
	c.executorManager("node")
	c.never(lasts(20*time.Second)+time.Second, "one that has started since is lost", func() bool {
		if c.counts("s")[0] == 0 {
			c.createTasks("s", 1, 10*time.Millisecond)
		}
		// Once is a suspicion only: it may be about to start.
		first := c.lost()
		time.Sleep(200 * time.Millisecond)
		return slices.ContainsFunc(c.lost(), func(id int64) bool { return slices.Contains(first, id) })
	})
}

func TestOperatorCordonsAnIdleNodeOnly(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	p := c.executorManager("node")
	c.createSession("s")
	c.createTasks("s", 1, 0)
	c.succeeds(1)
	before, _ := c.observe().Node("node")
	require.ErrorIs(t, c.operator().Cordon(t.Context(), "node"), flame.ErrHoldsExecutors)
	unchanged, _ := c.observe().Node("node")
	assert.Equal(t, before, unchanged)

	_, err := c.frontend.CloseSession(t.Context(), &flamev1.CloseSessionRequest{SessionId: "s"})
	require.NoError(t, err)
	c.eventually(10*time.Second, "its executor is gone", func() bool { return len(c.executors("")) == 0 })
	require.NoError(t, c.operator().Cordon(t.Context(), "node"))
	c.createSession("t")
	c.createTasks("t", 1, 0)
	c.never(lasts(10*time.Second), "something is placed on it", func() bool { return len(c.executors("")) > 0 || c.node("node") != "" })
	p.kill()
	c.never(time.Second, "a ghost is left", func() bool { return c.node("node") != "" })
}

// oneCPU is the status of a node that holds one executor.
func oneCPU() *flamev1.NodeStatus {
	status := nothingOf()
	status.Allocatable = &flamev1.ResourceRequirement{Cpu: 1, Memory: 1 << 20}
	return status
}

func TestOperatorHealsANodeWhoseFirstExecutorWasLost(t *testing.T) {
	c := newCluster(t, "resreq: cpu=1,mem=1m")
	c.sessionManager()
	c.register("node", oneCPU())
	ctx, cancel := context.WithCancel(t.Context())
	c.watchIn(ctx, "node", oneCPU())
	cancel()
	c.eventually(2*time.Second, "node is Unknown", func() bool { return c.node("node") == "UNKNOWN" })
	require.ErrorIs(t, c.operator().Resync(t.Context(), "node"), flame.ErrNotReady)

	c.register("node", oneCPU())
	arrived := arrivals(c.watch("node", oneCPU()))
	c.createSession("s")
	c.createTasks("s", 1, 0)
	c.eventually(5*time.Second, "an executor is made", func() bool { return c.states("node") == "VOID" })
	c.never(time.Second, "its node hears of it", func() bool { return len(arrived) > 0 })
	require.NoError(t, c.operator().Resync(t.Context(), "node"))
	c.eventually(5*time.Second, "its node hears of it now", func() bool { return len(arrived) > 0 })
}
