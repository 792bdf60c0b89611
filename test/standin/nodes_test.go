// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

// drain is how long Flame waits for a node to come back.
const drain = 30 * time.Second

// slack is what a machine under load may add to it.
const slack = 10 * time.Second

func TestDeadNodeStarvesItsSessionUntilItIsFenced(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	first := c.executorManager("first")
	c.createSession("s")
	c.createTasks("s", 6, 500*time.Millisecond)
	c.runs(1)

	first.kill()
	c.eventually(2*time.Second, "first is Unknown", func() bool { return c.node("first") == "UNKNOWN" })
	c.eventually(lasts(drain)+slack, "first is NotReady", func() bool { return c.node("first") == "NOT_READY" })
	c.eventually(5*time.Second, "a Void executor sits on it", func() bool { return c.states("first") == "VOID" })
	pending := c.counts("s")[0]
	assert.Positive(t, pending, "tasks that are pending again")

	c.executorManager("second")
	c.never(3*time.Second, "the node that lives gets something", func() bool { return len(c.executors("second")) > 0 })
	c.releaseNode("first")
	assert.Empty(t, c.node("first"))
	c.never(3*time.Second, "releasing the dead node helps", func() bool {
		return len(c.executors("second")) > 0 || c.states("first") != "VOID"
	})

	c.fence("first")
	c.eventually(lasts(drain)+slack, "the Void executor is gone", func() bool { return c.states("first") == "" })
	c.succeeds(6)
}

func TestFenceAtOnceGivesTheWorkToTheNextNode(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	first := c.executorManager("first")
	c.createSession("s")
	ids := c.createTasks("s", 4, 1500*time.Millisecond)
	c.runs(1)

	first.kill()
	c.eventually(2*time.Second, "first is Unknown", func() bool { return c.node("first") == "UNKNOWN" })
	c.fence("first")
	fenced := time.Now()
	before := c.states("first")
	c.executorManager("second")
	c.eventually(5*time.Second, "second works", func() bool { return c.states("second") == "BOUND" })
	c.eventually(lasts(drain)+slack, "first is NotReady", func() bool {
		assert.LessOrEqual(t, len(c.states("first")), len(before), "executors on a fenced node")
		return c.node("first") == "NOT_READY"
	})
	assert.InDelta(t, lasts(drain).Seconds(), time.Since(fenced).Seconds(), lasts(drain).Seconds()/5+1.5, "seconds from the fence to the end of the drain")
	assert.Empty(t, c.states("first"))
	// Its task is pending again, but that wakes no executor which waits already.
	c.eventually(lasts(60*time.Second)+30*time.Second, "all tasks have succeeded", func() bool { return c.counts("s") == [4]int32{0, 0, 4, 0} })
	assert.Equal(t, 2, c.executions(ids[0]), "executions of the task that ran on the dead node")
	assert.Equal(t, 1, c.executions(ids[3]))
	c.releaseNode("first")
	c.never(time.Second, "first comes back", func() bool { return c.node("first") != "" || len(c.executors("first")) > 0 })
}

func TestQuickRestartUnderTheSameNameSpins(t *testing.T) {
	// Without CPUs several executors fit: the first is lost on the way.
	c := newCluster(t, "resreq: mem=1m")
	c.sessionManager()
	first := c.executorManager("node")
	c.createSession("s")
	c.createTasks("s", 3, 3*time.Second)
	c.runs(3)

	first.kill()
	c.eventually(2*time.Second, "node is Unknown", func() bool { return c.node("node") == "UNKNOWN" })
	again := c.executorManager("node")
	c.eventually(5*time.Second, "it asks for its task over and over", func() bool { return strings.Count(again.output.String(), "no shim instance in bound state") > 500 })
	c.never(2*time.Second, "a task ends", func() bool { return c.counts("s")[1] != 3 || c.states("node") != "BOUND BOUND BOUND" })
}

func TestSilentNodeIsGivenUp(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	p := c.executorManager("node")
	// Its stream, whose silence is what counts, opens after it has registered.
	c.never(lasts(5*time.Second), "it is given up while it works", func() bool { return c.node("node") != "READY" })
	require.NoError(t, p.Process.Signal(syscall.SIGSTOP))
	start := time.Now()
	c.eventually(lasts(15*time.Second)+slack, "node is Unknown", func() bool { return c.node("node") == "UNKNOWN" })
	assert.GreaterOrEqual(t, time.Since(start), lasts(9*time.Second))
	c.eventually(lasts(drain)+slack, "node is NotReady", func() bool { return c.node("node") == "NOT_READY" })
	c.never(time.Second, "a dead node is forgotten", func() bool { return c.node("node") != "NOT_READY" })
}

func TestReleasedIdleNodeIsCordoned(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	p := c.executorManager("node")
	c.releaseNode("node")
	c.createSession("s")
	c.createTasks("s", 1, 0)
	c.never(lasts(10*time.Second), "something is placed on it", func() bool { return len(c.executors("")) > 0 || c.node("node") != "" })
	p.kill()
	c.never(time.Second, "a ghost is left", func() bool { return c.node("node") != "" })
}

func TestStreamOfANodeIsLeftOpen(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	c.register("node", nothingOf())
	stream := c.watch("node", nothingOf())
	require.NoError(t, stream.CloseSend())
	c.eventually(2*time.Second, "node is Unknown", func() bool { return c.node("node") == "UNKNOWN" })
	ended := make(chan struct{})
	go func() {
		_, _ = stream.Recv()
		close(ended)
	}()
	c.never(time.Second, "the session manager ends its side", func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	})
}

func TestFirstExecutorAfterAReconnectIsLost(t *testing.T) {
	c := newCluster(t, "resreq: cpu=1,mem=1m")
	c.sessionManager()
	status := nothingOf()
	status.Allocatable = &flamev1.ResourceRequirement{Cpu: 1, Memory: 1 << 20}
	c.register("node", status)
	ctx, cancel := context.WithCancel(t.Context())
	c.watchIn(ctx, "node", status)
	cancel()
	c.eventually(2*time.Second, "node is Unknown", func() bool { return c.node("node") == "UNKNOWN" })

	c.register("node", status)
	arrived := arrivals(c.watch("node", status))
	c.createSession("s")
	c.createTasks("s", 1, 0)
	c.eventually(5*time.Second, "an executor is made", func() bool { return c.states("node") == "VOID" })
	c.never(time.Second, "its node hears of it", func() bool { return len(arrived) > 0 })
	c.register("node", status, c.executors("node")...)
	c.eventually(5*time.Second, "its node hears of it after it has registered once more", func() bool { return len(arrived) > 0 })
}
