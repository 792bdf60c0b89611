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
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/test/live"
)

// The ways to kill.
const (
	processKilled          = "executor manager: its process killed"
	deletedAtOnce          = "executor manager: its pod deleted with a second's grace"
	executorForceDeleted   = "executor manager: its pod force-deleted"
	sessionManagerCrashed  = "session manager: its process killed"
	sessionManagerReplaced = "session manager: its pod force-deleted"
	operatorDeleted        = "operator: its pod deleted"
	operatorForceDeleted   = "operator: its pod force-deleted"
)

// deck is dealt in random order, then shuffled and dealt again, until everything
// else has happened. Executor managers go more often than session managers.
var deck = []string{
	processKilled, processKilled, deletedAtOnce, executorForceDeleted,
	sessionManagerCrashed, sessionManagerReplaced, operatorDeleted, operatorForceDeleted,
}

// sessionManagerKills is how often a session manager goes at most: the kubelet's
// own back-off grows to minutes.
const sessionManagerKills = 4

// chaos kills at random.
type chaos struct {
	flameCluster
	api    live.Flame
	seed   uint64
	random *rand.Rand
	stop   chan struct{}
	done   chan error
	// operator is the operator's pod that was killed last.
	operator *corev1.Pod

	mu sync.Mutex
	// counts is how often each way was taken, kills are the executor managers that
	// went, crashes how often a session manager's process was killed, by its pod.
	counts  map[string]int
	kills   map[string]live.Kill
	crashes map[string]int
}

func startChaos(t *testing.T, c flameCluster, api live.Flame, seed uint64) *chaos {
	x := &chaos{
		flameCluster: c, api: api, seed: seed, random: rand.New(rand.NewPCG(seed, 2)),
		stop: make(chan struct{}), done: make(chan error, 1),
		counts: map[string]int{}, kills: map[string]live.Kill{}, crashes: map[string]int{},
	}
	ctx := t.Context()
	var running sync.WaitGroup
	running.Go(func() { x.done <- x.run(ctx, t) })
	t.Cleanup(running.Wait)
	return x
}

// end waits until everything has been killed once at least, and for the last of
// it to be back.
func (x *chaos) end(t *testing.T) {
	t.Helper()
	close(x.stop)
	select {
	case err := <-x.done:
		require.NoError(t, err)
	case <-time.After(longPatience):
		require.FailNow(t, "not within "+longPatience.String()+": everything has been killed")
	}
}

func (x *chaos) run(ctx context.Context, t *testing.T) error {
	for first := true; ; first = false {
		cards := slices.Clone(deck)
		x.random.Shuffle(len(cards), func(i, j int) { cards[i], cards[j] = cards[j], cards[i] })
		for _, card := range cards {
			if x.ended(first) {
				return x.operatorIsBack(ctx)
			}
			what, err := x.deal(ctx, card)
			if err != nil {
				return fmt.Errorf("%s: %w", card, err)
			}
			if what != "" {
				t.Logf("  kill  %s: %s", card, what)
			}
			pause(ctx, 2*time.Second, 12*time.Second, x.random)
		}
	}
}

func (x *chaos) ended(first bool) bool {
	select {
	case <-x.stop:
		return !first
	default:
		return false
	}
}

// deal kills in one way, and returns what was killed. What cannot be killed now is
// tried again: it may be gone, or be on its way back.
func (x *chaos) deal(ctx context.Context, card string) (what string, err error) {
	return what, persist(ctx, func(ctx context.Context) (err error) {
		what, err = x.kill(ctx, card)
		return err
	})
}

func (x *chaos) kill(ctx context.Context, card string) (string, error) {
	switch card {
	case operatorDeleted, operatorForceDeleted:
		return x.killOperator(ctx, card)
	case sessionManagerCrashed, sessionManagerReplaced:
		return x.killSessionManager(ctx, card)
	default:
		return x.killExecutorManager(ctx, card)
	}
}

// killExecutorManager prefers nobody: pods that have just started and those that
// are on their way out are killed, too.
func (x *chaos) killExecutorManager(ctx context.Context, card string) (string, error) {
	pods, err := x.Pods(ctx, executors)
	if err != nil {
		return "", err
	}
	pods = slices.DeleteFunc(pods, func(pod corev1.Pod) bool { return pod.Status.Phase != corev1.PodRunning })
	if len(pods) == 0 {
		return "", errors.New("none runs")
	}
	pod := &pods[x.random.IntN(len(pods))]
	kill := live.Kill{At: time.Now(), Lingers: card != processKilled}
	switch card {
	case processKilled:
		err = sendSignal(ctx, x.Namespace, pod.Name, executors, "flame-executor-manager", "KILL")
	case deletedAtOnce:
		err = k8s.Delete(ctx, pod, client.GracePeriodSeconds(1))
	case executorForceDeleted:
		err = k8s.Delete(ctx, pod, client.GracePeriodSeconds(0))
	}
	if apierrors.IsNotFound(err) {
		return "", err // It went by itself.
	}
	// Any other call that failed may have been heard.
	x.mu.Lock()
	defer x.mu.Unlock()
	x.kills[pod.Name] = kill
	if err == nil {
		x.counts[card]++
	}
	return pod.Name, err
}

// killSessionManager kills one that is ready, so that its kills are apart.
func (x *chaos) killSessionManager(ctx context.Context, card string) (string, error) {
	x.mu.Lock()
	kills := x.counts[sessionManagerCrashed] + x.counts[sessionManagerReplaced]
	x.mu.Unlock()
	if kills >= sessionManagerKills {
		return "", nil
	}
	name := naming.SessionManager(x.Name)
	pod, err := getPod(ctx, x.Namespace, name)
	if err != nil {
		return "", err
	}
	if !isReady(pod) {
		return "", errors.New("it is not ready")
	}
	if card == sessionManagerCrashed {
		err = sendSignal(ctx, x.Namespace, name, sessionManager, "flame-session-manager", "KILL")
	} else {
		err = k8s.Delete(ctx, pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID})
	}
	if err != nil {
		return "", err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.counts[card]++
	if card == sessionManagerCrashed {
		x.crashes[string(pod.UID)]++
	}
	return string(pod.UID), nil
}

func (x *chaos) killOperator(ctx context.Context, card string) (string, error) {
	if err := x.operatorIsBack(ctx); err != nil {
		return "", err
	}
	pods, err := operatorPods(ctx)
	if err != nil {
		return "", err
	}
	for i := range pods {
		if !live.Lives(&pods[i]) {
			continue
		}
		options := &client.DeleteOptions{}
		if card == operatorForceDeleted {
			options.GracePeriodSeconds = ptr.To[int64](0)
		}
		if err := k8s.Delete(ctx, &pods[i], options); err != nil {
			return "", err
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		x.operator = &pods[i]
		x.counts[card]++
		return pods[i].Name, nil
	}
	return "", errors.New("it has no pod")
}

func (x *chaos) operatorIsBack(ctx context.Context) error {
	if x.operator == nil {
		return nil
	}
	return persist(ctx, func(ctx context.Context) error { return operatorIsBack(ctx, x.operator) })
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	}) && live.Lives(pod)
}

// killed are the executor managers that were killed so far.
func (x *chaos) killed() map[string]live.Kill {
	x.mu.Lock()
	defer x.mu.Unlock()
	return maps.Clone(x.kills)
}
