// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/clusters"
	"github.com/xflops/flame-operator/test/standin/pace"
)

// The drain of a busy executor manager has three parts: the hook of its pod (the
// script that internal/desired renders), UnbindExecutor for each executor that
// runs a task, and the fence once its process is gone.

func TestDrainUnderConstantLoadLosesAndRepeatsNothing(t *testing.T) {
	for name, executors := range map[string]uint64{
		"one executor in each executor manager":    1,
		"three executors in each executor manager": 3,
	} {
		t.Run(name, func(t *testing.T) {
			const tasks, nodes, drains = 300, 3, 4
			// A binding fails when Flame finds an instance's socket before that listens,
			// and five of those block a session for good.
			c := newCluster(t, "recovery: {session: {retry_limits: 1000}}")
			c.atFlamesPace()
			c.sessionManager()
			var running []*process
			for i := range nodes {
				running = append(running, c.executorManager(fmt.Sprintf("node-%d", i)))
			}
			c.createSession("s", c.share(executors))
			// Long enough for the load to last: an executor manager that is halted between
			// two tasks is not unbound before it is halted again, half a minute later.
			ids := c.createTasks("s", tasks, time.Duration(executors)*600*time.Millisecond)
			c.runs(int32(nodes * executors))
			for i := range drains {
				hostname := fmt.Sprintf("node-%d", i)
				c.eventually(30*time.Second, hostname+" is busy", func() bool { return strings.Count(c.states(hostname), "BOUND") == int(executors) })
				c.drain(hostname, running[i])
				assert.Positive(t, c.counts("s")[0], "tasks that are pending after drain %d: the load is constant", i+1)
				running = append(running, c.executorManager(fmt.Sprintf("node-%d", nodes+i)))
			}
			c.eventually(2*time.Minute, "all tasks have succeeded", func() bool {
				return c.counts("s") == [4]int32{0, 0, tasks, 0}
			})
			executions := map[int]int{}
			for _, id := range ids {
				executions[c.executions(id)]++
			}
			assert.Equal(t, map[int]int{1: tasks}, executions, "how many tasks ran how often")
		})
	}
}

func TestDrainKeepsAnExecutorThatIsBoundAgainFromTheNextTask(t *testing.T) {
	c := newCluster(t)
	c.atFlamesPace()
	c.sessionManager()
	p := c.executorManager("node")
	c.createSession("s", c.share(2))
	ids := append(c.createTasks("s", 1, 3*time.Second), c.createTasks("s", 1, 12*time.Second)...)
	c.runs(2)
	ids = append(ids, c.createTasks("s", 3, 0)...)

	hook := c.hook("node")
	c.eventually(5*time.Second, "the sockets' directory is closed", func() bool {
		info, err := os.Stat(c.socketsOf("node"))
		return err == nil && info.Mode().Perm() == 0o555
	})
	c.eventually(5*time.Second, "it is halted", p.halted)
	c.eventually(4*time.Second, "both are unbound", func() bool { return c.unbindBusy("node") == 2 })
	c.eventually(8*time.Second, "one is bound again", func() bool { return c.states("node") == "BINDING UNBINDING" })
	c.never(2*time.Second, "it gets any further", func() bool { return c.states("node") != "BINDING UNBINDING" || c.counts("s") != [4]int32{3, 1, 1, 0} })
	<-p.ended
	require.NoError(t, hook.Wait())
	assert.Equal(t, [4]int32{3, 0, 2, 0}, c.counts("s"), "the other one's task has ended, and none has begun")

	c.eventually(2*time.Second, "node is Unknown", func() bool { return c.node("node") == "UNKNOWN" })
	require.NoError(t, c.operator().Fence(t.Context(), "node"))
	c.executorManager("next")
	c.clear("node")
	c.eventually(5*time.Second, "the next node works", func() bool { return c.counts("s") == [4]int32{0, 0, 5, 0} })
	for _, id := range ids {
		assert.Equal(t, 1, c.executions(id), "executions of task %s", id)
	}
}

func TestDrainOfAnExecutorThatWaitsEndsWithIt(t *testing.T) {
	c := newCluster(t)
	c.atFlamesPace()
	c.sessionManager()
	p := c.executorManager("node")
	c.createSession("s")
	c.createTasks("s", 1, 0)
	c.succeeds(1)
	hook := c.hook("node")
	c.never(5*time.Second, "the executor manager ends", func() bool { return c.node("node") != "READY" })
	_, err := c.frontend.CloseSession(t.Context(), &flamev1.CloseSessionRequest{SessionId: "s"})
	require.NoError(t, err)
	<-p.ended
	require.NoError(t, hook.Wait())
}

// An executor manager that connects again keeps the instances that it had then.
func TestDrainOfAnInstanceThatOutlivesItsExecutorEnds(t *testing.T) {
	c := newCluster(t)
	c.atFlamesPace()
	sessionManager := c.sessionManager()
	p := c.executorManager("node")
	c.createSession("s")
	c.createTasks("s", 1, 0)
	c.succeeds(1)
	require.Equal(t, "BOUND", c.states("node"))
	sessionManager.kill()
	c.sessionManager()
	c.eventually(10*time.Second, "the node is back", func() bool { return c.node("node") == "READY" && c.streams("node") == 2 })
	_, err := c.frontend.CloseSession(t.Context(), &flamev1.CloseSessionRequest{SessionId: "s"})
	require.NoError(t, err)
	c.eventually(90*time.Second, "its executor is released", func() bool { return c.states("node") == "" })
	assert.Equal(t, 1, c.connectedInstances("node"))

	hook := c.hook("node")
	<-p.ended
	require.NoError(t, hook.Wait())
}

// connectedInstances counts the instances' ends of the sockets of a node.
func (c *cluster) connectedInstances(hostname string) int {
	table, err := os.ReadFile("/proc/net/unix")
	require.NoError(c.t, err)
	count := 0
	for _, line := range strings.Split(string(table), "\n") {
		if strings.Contains(line, " 0001 03 ") && strings.Contains(line, " "+c.socketsOf(hostname)+"/") {
			count++
		}
	}
	return count
}

// streams counts how often an executor manager has connected to a session manager.
func (c *cluster) streams(hostname string) int {
	logs, err := filepath.Glob(filepath.Join(c.home, "logs", "fem-"+hostname+".*"))
	require.NoError(c.t, err)
	count := 0
	for _, log := range logs {
		text, err := os.ReadFile(log)
		require.NoError(c.t, err)
		count += strings.Count(string(text), "Starting stream for node")
	}
	return count
}

// atFlamesPace lets the stand-in be as slow as Flame: the hook's own times are Flame's.
func (c *cluster) atFlamesPace() { c.environ = append(c.environ, pace.Variable+"=1") }

// halted says whether a process is stopped.
func (p *process) halted() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Process.Pid))
	return err == nil && strings.Contains(string(stat), ") T ")
}

// drain lets an executor manager that is busy end as its pod would. What is left on its node runs nothing and is taken off, so
// that its successor gets work.
func (c *cluster) drain(hostname string, p *process) {
	c.t.Helper()
	hook, unbound := c.hook(hostname), 0
	c.eventually(2*time.Minute, hostname+" has ended", func() bool {
		if p.halted() {
			unbound += c.unbindBusy(hostname)
		}
		select {
		case <-p.ended:
			return true
		default:
			return false
		}
	})
	require.NoError(c.t, hook.Wait())
	assert.Positive(c.t, unbound, "executors that ran a task and were unbound")
	c.eventually(2*time.Second, hostname+" is Unknown", func() bool { return c.node(hostname) == "UNKNOWN" })
	require.NoError(c.t, c.operator().Fence(c.t.Context(), hostname))
	c.clear(hostname)
}

// hook starts what a pod runs before its executor manager is told to end.
func (c *cluster) hook(hostname string) *exec.Cmd {
	c.t.Helper()
	objects, err := desired.Build(clusters.Parse(c.t, clusters.Minimal), desired.Inputs{})
	require.NoError(c.t, err)
	words := slices.Clone(objects.ExecutorManager.Spec.Containers[0].Lifecycle.PreStop.Exec.Command)
	copy(words[len(words)-3:], []string{c.path("flame-executor-manager", hostname), fmt.Sprintf("%04X", c.port+1)})
	hook := exec.Command(words[0], words[1:]...)
	hook.Env = append(os.Environ(), "FLAME_SOCKET_DIR="+c.socketsOf(hostname), "FLAME_HOME="+c.home)
	require.NoError(c.t, hook.Start())
	c.t.Cleanup(func() { _ = hook.Process.Kill() })
	return hook
}

// unbindBusy unbinds a node's Bound executors, if it is sure that every executor
// of their session runs a task, and returns how many they were. One that waits
// would drop its next task. It is to be called while the hook halts the executor
// manager: otherwise a task might end, and the next one be dropped, between the
// look and the call.
func (c *cluster) unbindBusy(hostname string) int {
	c.t.Helper()
	before := c.sessionsExecutors("s")
	running := int(c.counts("s")[1])
	if after := c.sessionsExecutors("s"); running != len(before) || !slices.Equal(before, after) {
		return 0
	}
	unbound := 0
	for _, e := range c.executors(hostname) {
		if e.GetStatus().GetState() == flamev1.ExecutorState_EXECUTOR_STATE_BOUND && slices.Contains(before, e.GetMetadata().GetId()+" BOUND") {
			c.unbind(e)
			unbound++
		}
	}
	return unbound
}

// sessionsExecutors are the executors that can run a session's tasks, with their states.
func (c *cluster) sessionsExecutors(session string) []string {
	var list []string
	for _, e := range c.executors("") {
		state := strings.TrimPrefix(e.GetStatus().GetState().String(), "EXECUTOR_STATE_")
		if e.GetStatus().GetSessionId() == session && (state == "BOUND" || state == "UNBINDING") {
			list = append(list, e.GetMetadata().GetId()+" "+state)
		}
	}
	slices.Sort(list)
	return list
}

// clear takes the executors off a fenced node, which their session would count
// as its own until the node's drain ends.
func (c *cluster) clear(hostname string) {
	c.t.Helper()
	c.eventually(drain+slack, "nothing is left on "+hostname, func() bool {
		require.NoError(c.t, c.operator().Clear(c.t.Context(), hostname))
		return c.states(hostname) == ""
	})
}
