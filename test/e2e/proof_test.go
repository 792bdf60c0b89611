// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/live"
)

// The proof is one cluster, one load and everything at once: it grows from nothing,
// is made smaller, updated and drained while it works, and all the time executor
// managers, session managers and the operator are killed at random. Then each
// execution of each task is accounted for. A drain may take an hour here, so that
// nothing that is not killed goes by force.

const (
	// seedVariable repeats the random choices of another run.
	seedVariable = "FLAME_PROOF_SEED"
	// proofTasks is the least number of tasks. There are more on a slow machine: work
	// comes in until everything has happened.
	proofTasks = 300
	// most and fewer are the executor managers that there may be, and while the
	// cluster is made smaller.
	most, fewer = 6, 3
	// evictions is how many executor managers are drained as a node is.
	evictions = 2
	// longPatience is Patience for what goes on while everything goes wrong.
	longPatience = 8 * time.Minute
)

// proof is the cluster with all that happens to it.
type proof struct {
	flameCluster
	api   live.Flame
	load  *load
	chaos *chaos
	// witness sees what becomes of the pods.
	witness *witness
	// happened counts what went in good order while tasks were left.
	happened map[string]int
}

// What happens in good order, as the summary names it.
const (
	scaleUps   = "executor managers added from 0"
	scaleDowns = "executor managers gone by a scale-down while busy"
	updates    = "executor managers gone by an update while busy"
	evicts     = "executor managers gone by an eviction while busy"
)

var orderly = []string{scaleUps, scaleDowns, updates, evicts}

// TestEveryTaskRunsOnceWhateverGoes has the operator to itself: tests that run in
// parallel come after it.
func TestEveryTaskRunsOnceWhateverGoes(t *testing.T) {
	seed := proofSeed(t)
	t.Logf("%s=%d repeats these random choices", seedVariable, seed)
	c := create(t, newNamespace(t), "flame", replicas(0), withClaim, func(spec *flamev1alpha1.FlameClusterSpec) {
		spec.ExecutorManager.Autoscaling = &flamev1alpha1.AutoscalingSpec{MaxReplicas: most, ScaleDownDelaySeconds: 10}
		spec.ExecutorManager.UpdateStrategy.MaxSurge = intstr.FromString("50%")
		// Flame counts a binding that finds an instance's socket before that listens as
		// failed, and five of those block a session for good.
		spec.SessionManager.SessionRetryLimit = 1000
	})
	p := &proof{flameCluster: c, api: c.Flame(t), happened: map[string]int{}}
	c.Settled(t)
	c.Has(t, executors, 0)
	c.Says(t, flamev1alpha1.ConditionScalingActive, metav1.ConditionTrue, flamev1alpha1.ReasonFollowingLoad)

	p.witness = startWitness(t, c)
	p.load = startLoad(t, p.api, seed)
	p.growsFromNothing(t)
	p.chaos = startChaos(t, c, p.api, seed)
	p.isDrained(t)
	p.isMadeSmaller(t)
	p.isUpdated(t)
	p.chaos.end(t)
	p.load.end(t, p.chaos)
	p.account(t)
	p.shrinksToNothing(t)
	p.assertRestarts(t)
}

func proofSeed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv(seedVariable)
	if text == "" {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, seedVariable)
	return seed
}

func (p *proof) growsFromNothing(t *testing.T) {
	status := p.Says(t, flamev1alpha1.ConditionScalingActive, metav1.ConditionTrue, flamev1alpha1.ReasonAtMaximum)
	if assert.NotNil(t, status.Autoscaling) {
		assert.EqualValues(t, most, status.Autoscaling.DesiredReplicas)
		assert.EqualValues(t, most, status.Autoscaling.NeededReplicas, "within the bounds")
	}
	p.hasReady(t, most)
	p.tasksAreLeft(t)
	p.happened[scaleUps] += most
}

// hasReady waits until enough executor managers are ready.
func (p *proof) hasReady(t *testing.T, n int32) {
	t.Helper()
	live.Within(t, longPatience, fmt.Sprintf("%d executor managers are ready", n), func(ctx context.Context) error {
		object, err := p.Get(ctx)
		if err == nil && object.Status.ExecutorManager.Ready < n {
			err = fmt.Errorf("executor managers: %+v", object.Status.ExecutorManager)
		}
		return err
	})
}

// isDrained evicts executor managers as kubectl drain does, until enough of them
// have gone without being killed meanwhile.
func (p *proof) isDrained(t *testing.T) {
	random := rand.New(rand.NewPCG(p.chaos.seed, 3))
	for p.happened[evicts] < evictions {
		pod := ""
		live.Within(t, longPatience, "an executor manager that works is evicted", func(ctx context.Context) (err error) {
			if pod, err = p.busyPod(ctx, random); err == nil {
				err = evict(ctx, p.Namespace, pod)
			}
			return err
		})
		gone := p.waitUntilGone(t, "by an eviction", uids{pod: ""}, func(left uids, _ []corev1.Pod) bool { return len(left) == 0 })
		p.happened[evicts] += len(gone)
	}
}

// busyPod returns one of the executor managers that hold a session's executor.
func (p *proof) busyPod(ctx context.Context, random *rand.Rand) (string, error) {
	busy, err := p.api.Busy(ctx)
	if err != nil {
		return "", err
	}
	pods, err := p.Pods(ctx, executors)
	if err != nil {
		return "", err
	}
	names := slices.Sorted(maps.Keys(live.UIDsOf(pods)))
	names = slices.DeleteFunc(names, func(name string) bool { return busy[name] == 0 })
	if len(names) == 0 {
		return "", errors.New("none works")
	}
	return names[random.IntN(len(names))], nil
}

// isMadeSmaller scales down until an executor manager has gone without being killed
// meanwhile. On a slow machine those that are killed may be enough.
func (p *proof) isMadeSmaller(t *testing.T) {
	for range 3 {
		p.hasReady(t, fewer+1)
		before := executorsOf(t, p.flameCluster)
		p.Apply(t, func(spec *flamev1alpha1.FlameClusterSpec) { spec.ExecutorManager.Autoscaling.MaxReplicas = fewer })
		gone := p.waitUntilGone(t, "by a scale-down", before, func(left uids, now []corev1.Pod) bool {
			return len(now) <= fewer && len(left) < len(before)
		})
		p.Apply(t, func(spec *flamev1alpha1.FlameClusterSpec) { spec.ExecutorManager.Autoscaling.MaxReplicas = most })
		if p.happened[scaleDowns] += len(gone); len(gone) > 0 {
			return
		}
	}
	assert.Fail(t, "all that went were killed")
}

// isUpdated gives the executor managers another image: the same one by another
// name.
func (p *proof) isUpdated(t *testing.T) {
	p.hasReady(t, fewer+1)
	before := executorsOf(t, p.flameCluster)
	image := p.otherwise(t)
	p.Apply(t, func(spec *flamev1alpha1.FlameClusterSpec) { spec.ExecutorManager.Image = image })
	gone := p.waitUntilGone(t, "by an update", before, func(left uids, now []corev1.Pod) bool {
		// One more of the old ones may have been made meanwhile.
		return len(left) == 0 && len(now) > 0 && !slices.ContainsFunc(now, func(pod corev1.Pod) bool {
			return pod.Spec.Containers[0].Image != image
		})
	})
	assert.NotEmpty(t, gone, "some went without being killed")
	p.happened[updates] += len(gone)
}

// waitUntilGone waits until enough of some executor managers are gone, by those of
// them that are left and all that there are. It makes sure that they went while
// there was work, and returns those that were not killed.
func (p *proof) waitUntilGone(t *testing.T, how string, pods uids, enough func(left uids, now []corev1.Pod) bool) []string {
	t.Helper()
	left := uids{}
	live.Within(t, longPatience, "executor managers are gone "+how, func(ctx context.Context) error {
		now, err := p.Pods(ctx, executors)
		if err != nil {
			return err
		}
		left = uids{}
		now = slices.DeleteFunc(now, func(pod corev1.Pod) bool { return pod.Status.Phase == corev1.PodFailed })
		for _, pod := range now {
			if _, found := pods[pod.Name]; found {
				left[pod.Name] = pod.UID
			}
		}
		if !enough(left, now) {
			return fmt.Errorf("of %d there are %v left, %d in all", len(pods), slices.Sorted(maps.Keys(left)), len(now))
		}
		return nil
	})
	p.tasksAreLeft(t)
	var gone []string
	kills := p.chaos.killed()
	for name := range pods {
		_, stays := left[name]
		if _, killed := kills[name]; !stays && !killed {
			gone = append(gone, name)
		}
	}
	return gone
}

// tasksAreLeft makes sure that the cluster has work.
func (p *proof) tasksAreLeft(t *testing.T) {
	t.Helper()
	live.Within(t, longPatience, "tasks are left", func(ctx context.Context) error {
		left, err := p.load.left(ctx)
		if err == nil {
			require.Positive(t, left, "tasks that wait or run")
		}
		return err
	})
}

func (p *proof) shrinksToNothing(t *testing.T) {
	live.Within(t, longPatience, "there are no executor managers", func(ctx context.Context) error {
		pods, err := p.Pods(ctx, executors)
		if err == nil && len(pods) > 0 {
			err = fmt.Errorf("there are %d", len(pods))
		}
		return err
	})
	live.Within(t, longPatience, "Flame has no nodes and no executors", func(ctx context.Context) error {
		nodes, err := p.api.Nodes(ctx)
		if err != nil {
			return err
		}
		busy, err := p.api.Busy(ctx)
		if err == nil && len(nodes)+len(busy) > 0 {
			err = fmt.Errorf("it has nodes %v, and executors at work on %v", nodes, busy)
		}
		return err
	})
	p.Settled(t)
	status := p.Says(t, flamev1alpha1.ConditionScalingActive, metav1.ConditionTrue, flamev1alpha1.ReasonFollowingLoad)
	if assert.NotNil(t, status.Autoscaling) {
		assert.Zero(t, status.Autoscaling.DesiredReplicas)
	}
	if assert.NotNil(t, status.Load) {
		assert.Zero(t, status.Load.TasksPending+status.Load.TasksRunning+status.Load.TasksLost+status.Load.SessionsOpen)
	}
}
