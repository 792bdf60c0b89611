// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/test/live"
)

// TestForceDeletedExecutorManagerIsReplacedInItsWork has more tasks wait than
// there is room for. Unfenced, the dead node would hold an executor that keeps
// all work from the replacement for good.
func TestForceDeletedExecutorManagerIsReplacedInItsWork(t *testing.T) {
	t.Parallel()
	const session, waiting, milliseconds = "work", 5, 4000
	for name, test := range map[string]struct {
		maxExecutors int32
		// frozen has the executor manager halted before there is work, so that it
		// never takes the executor that Flame puts on it. That one starves the session.
		frozen bool
		// drains has the pod deleted in the usual way before.
		drains bool
		// again is how many tasks run a second time.
		again int
	}{
		"while it runs tasks":                           {maxExecutors: 2, again: 2},
		"while an executor is on it that it never took": {maxExecutors: 1, frozen: true},
		"while it drains, which it goes on with":        {maxExecutors: 1, drains: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := create(t, newNamespace(t), "flame", replicas(2), func(spec *flamev1alpha1.FlameClusterSpec) {
				spec.ExecutorManager.MaxExecutors = test.maxExecutors
			})
			c.Settled(t)
			before, api := executorsOf(t, c), c.Flame(t)
			dead := anyOf(before)
			story := follow(t, api, dead)
			if test.frozen {
				signal(t, c.Namespace, dead, executors, "flame-executor-manager", "STOP")
			}
			stop := api.Feed(t, session, waiting, milliseconds)
			eventually(t, "there is work for it", func(ctx context.Context) error {
				if test.frozen {
					return holds(ctx, api, dead, flamev1.ExecutorState_EXECUTOR_STATE_VOID)
				}
				return haveWork(ctx, api, before, int(test.maxExecutors))
			})
			if test.drains {
				deletePod(t, c.Namespace, dead)
				eventually(t, "its executor is unbound", func(ctx context.Context) error {
					return holds(ctx, api, dead, flamev1.ExecutorState_EXECUTOR_STATE_UNBINDING)
				})
			}
			deleted := time.Now()
			deletePod(t, c.Namespace, dead, byForce)
			replacement := replacementIn(t, c, before)
			ready := time.Now()
			eventually(t, "the replacement runs a task", func(ctx context.Context) error {
				return worksOn(ctx, api, replacement)
			})
			worked := time.Now()
			eventually(t, "Flame has forgotten the dead node", func(ctx context.Context) error {
				return isForgotten(ctx, api, dead)
			})
			seen := story()
			givenUp := assertFencedOnce(t, c, dead, seen)
			t.Logf("after the deletion: ready %.1fs, at work %.1fs; Flame of the dead node: %s",
				ready.Sub(deleted).Seconds(), worked.Sub(deleted).Seconds(), tell(seen, deleted))
			if !test.frozen && ready.Before(givenUp) {
				assert.True(t, worked.Before(givenUp), "the replacement does not have to wait until the dead node is given up")
			}

			total := stop()
			api.Succeed(t, session, total)
			assertExecutions(t, api, session, total, test.again)
			c.Settled(t)
			assert.True(t, c.Has(t, executors, 2).Overlaps(before), "the other one is not concerned")
		})
	}
}

// A container beside an executor manager that ends keeps the phase of its pod Running.
func TestAnExecutorManagerThatDiesBesideASidecarIsReplaced(t *testing.T) {
	t.Parallel()
	c := create(t, newNamespace(t), "flame", func(spec *flamev1alpha1.FlameClusterSpec) {
		spec.ExecutorManager.PodTemplate = &runtime.RawExtension{Raw: []byte(`{"spec": {"containers": [{
			"name": "sidecar", "image": "` + standIn + `", "command": ["/bin/bash", "-c", "trap 'exit 0' TERM; while true; do sleep 1; done"],
			"securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]}}`)}
	})
	c.Settled(t)
	before := executorsOf(t, c)
	dead := anyOf(before)
	kill(t, c.Namespace, dead, executors, "flame-executor-manager")
	replacementIn(t, c, before)
	eventually(t, "the pod of the dead one is gone", func(ctx context.Context) error {
		err := k8s.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: dead}, &corev1.Pod{})
		if err == nil {
			return fmt.Errorf("%s is there", dead)
		}
		return client.IgnoreNotFound(err)
	})
	c.Settled(t)
}

// haveWork checks that each executor manager runs as many tasks as it can.
func haveWork(ctx context.Context, api live.Flame, pods uids, each int) error {
	working, err := api.Working(ctx)
	for pod := range pods {
		if err == nil && working[pod] != each {
			err = fmt.Errorf("%d executors of %s run a task", working[pod], pod)
		}
	}
	return err
}

// holds checks that an executor on a node is in a state.
func holds(ctx context.Context, api live.Flame, node string, state flamev1.ExecutorState) error {
	list, err := api.ListExecutor(ctx, &flamev1.ListExecutorRequest{})
	if err != nil {
		return err
	}
	for _, executor := range list.GetExecutors() {
		if executor.GetSpec().GetNode() == node && executor.GetStatus().GetState() == state {
			return nil
		}
	}
	return fmt.Errorf("there is none among %v", list.GetExecutors())
}

func worksOn(ctx context.Context, api live.Flame, node string) error {
	working, err := api.Working(ctx)
	if err == nil && working[node] == 0 {
		err = fmt.Errorf("executors at work are %v", working)
	}
	return err
}

// replacementIn waits for a ready executor manager that was not there before.
func replacementIn(t *testing.T, c flameCluster, before uids) string {
	t.Helper()
	name := ""
	eventually(t, "a replacement is ready", func(ctx context.Context) error {
		pods, err := c.Pods(ctx, executors)
		for i := range pods {
			for _, condition := range pods[i].Status.Conditions {
				if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue && before[pods[i].Name] == "" {
					name = pods[i].Name
					return err
				}
			}
		}
		return fmt.Errorf("no new one of %d pods is: %w", len(pods), err)
	})
	return name
}

// isForgotten checks that neither a node nor an executor is left of a name.
func isForgotten(ctx context.Context, api live.Flame, node string) error {
	nodes, err := api.Nodes(ctx)
	if err != nil {
		return err
	}
	if state, listed := nodes[node]; listed {
		return fmt.Errorf("it is %s", state)
	}
	list, err := api.ListExecutor(ctx, &flamev1.ListExecutorRequest{})
	for _, executor := range list.GetExecutors() {
		if executor.GetSpec().GetNode() == node {
			return fmt.Errorf("executor %s is on it", executor.GetMetadata().GetId())
		}
	}
	return err
}

// assertExecutions makes sure that so many tasks were executed twice, and all
// others once.
func assertExecutions(t *testing.T, api live.Flame, session string, tasks, again int) {
	t.Helper()
	executions, err := api.Executions(t.Context(), session)
	require.NoError(t, err)
	times := map[int]int{}
	for _, n := range executions {
		times[n]++
	}
	want := map[int]int{1: tasks - again, 2: again}
	if again == 0 {
		delete(want, 2)
	}
	assert.Equal(t, want, times, "how many tasks were executed how often")
}

// sighting is what Flame began to say of a node at some time.
type sighting struct {
	at    time.Time
	state string
	// empty nodes have room for nothing: they are fenced.
	empty bool
}

const absent = "absent"

// follow records what Flame says of a node. What it returns ends that, with a
// last look, and returns it.
func follow(t *testing.T, api live.Flame, node string) func() []sighting {
	t.Helper()
	var seen []sighting
	record := func(ctx context.Context) {
		now, err := look(ctx, api, node)
		if last := len(seen) - 1; err == nil && (last < 0 || seen[last].state != now.state || seen[last].empty != now.empty) {
			seen = append(seen, now)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
			record(ctx)
		}
	}()
	t.Cleanup(func() { <-done })
	return func() []sighting {
		cancel()
		<-done
		record(t.Context())
		return seen
	}
}

func look(ctx context.Context, api live.Flame, name string) (sighting, error) {
	list, err := api.ListNodes(ctx, &flamev1.ListNodesRequest{})
	for _, node := range list.GetNodes() {
		if node.GetMetadata().GetName() == name {
			state := strings.TrimPrefix(node.GetStatus().GetState().String(), "NODE_STATE_")
			return sighting{time.Now(), state, node.GetStatus().GetAllocatable().GetCpu() == 0}, err
		}
	}
	return sighting{time.Now(), absent, true}, err
}

// tell says when Flame began to say what of a node.
func tell(seen []sighting, since time.Time) string {
	var words []string
	for _, s := range seen {
		fenced := ""
		if s.empty && s.state != absent {
			fenced = " (fenced)"
		}
		words = append(words, fmt.Sprintf("%s%s %.1fs", s.state, fenced, s.at.Sub(since).Seconds()))
	}
	return strings.Join(words, ", ")
}

// assertFencedOnce makes sure that a dead node was fenced once, given up, and
// released, and returns when it was given up.
func assertFencedOnce(t *testing.T, c flameCluster, node string, seen []sighting) time.Time {
	t.Helper()
	require.NotEmpty(t, seen)
	var states []string
	var givenUp time.Time
	for _, s := range seen {
		// The moments of the fence and of the release may be seen or not.
		if s.empty && s.state != "READY" && s.state != "NOT_READY" {
			states = append(states, s.state)
		}
		if givenUp.IsZero() && (s.state == "NOT_READY" || s.state == absent) {
			givenUp = s.at
		}
	}
	assert.Equal(t, []string{"UNKNOWN", absent}, states, "it is fenced, and released when it is given up")
	pod, err := getPod(t.Context(), c.Namespace, naming.SessionManager(c.Name))
	require.NoError(t, err)
	text, err := cluster.Logs(t.Context(), pod, corev1.PodLogOptions{Container: sessionManager})
	require.NoError(t, err)
	// A node that is missed is challenged, which fences it if its process ends before
	// it answers. Its own registration is the first.
	told := strings.Count(text, fmt.Sprintf("Registering node <%s>", node)) - 1
	assert.Contains(t, []int{1, 2}, told, "challenged or fenced, or both")
	fences := strings.Count(text, fmt.Sprintf("Cancelled drain timer for reconnecting node <%s>", node))
	assert.LessOrEqual(t, fences, 1, "its drain begins anew once at most")
	return givenUp
}
