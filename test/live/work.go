// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

// Feed opens a session and keeps some tasks waiting in it, of some milliseconds each,
// however many are taken away. The function stop ends this, and returns how many tasks
// there are. While the session manager is away, nothing is added.
func (f Flame) Feed(t *testing.T, id string, waiting, milliseconds int) (stop func() int) {
	t.Helper()
	f.Session(t, id, waiting, milliseconds)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			// A refill that fails is tried again in a moment. The end of the feed cuts no
			// call short: a task that is made after it would be counted by nobody.
			_ = f.refill(context.WithoutCancel(ctx), id, waiting, milliseconds)
			select {
			case <-ctx.Done():
			case <-time.After(interval):
			}
		}
	}()
	end := func() {
		cancel()
		<-done
	}
	t.Cleanup(end)
	return func() (total int) {
		t.Helper()
		end()
		// Only Flame knows whether a task was made whose answer was lost.
		Eventually(t, "session "+id+" has all its tasks", func(ctx context.Context) error {
			counts, err := f.Tasks(ctx, id)
			total = 0
			for _, n := range counts {
				total += n
			}
			return err
		})
		return total
	}
}

func (f Flame) refill(ctx context.Context, id string, waiting, milliseconds int) error {
	ctx, cancel := context.WithTimeout(ctx, oneLook)
	defer cancel()
	session, err := f.GetSession(ctx, &flamev1.GetSessionRequest{SessionId: id})
	if err != nil {
		return err
	}
	for range waiting - int(session.GetStatus().GetPending()) {
		if err := f.Submit(ctx, id, milliseconds); err != nil {
			return err
		}
	}
	return nil
}

// Close closes a session, so that its executors are free for others.
func (f Flame) Close(t *testing.T, id string) {
	t.Helper()
	Eventually(t, "session "+id+" is closed", func(ctx context.Context) error {
		session, err := f.CloseSession(ctx, &flamev1.CloseSessionRequest{SessionId: id})
		if err == nil && session.GetStatus().GetState() != flamev1.SessionState_SESSION_STATE_CLOSED {
			err = errors.New("it is open")
		}
		return err
	})
}

// Working returns how many executors of each node run a task. Flame does not say
// it of one executor; but where a session runs as many tasks as it has executors
// that can run one, each of them does. Of others nothing is known.
func (f Flame) Working(ctx context.Context) (map[string]int, error) {
	before, err := f.able(ctx)
	if err != nil {
		return nil, err
	}
	working := map[string]int{}
	for id, nodes := range before {
		session, err := f.GetSession(ctx, &flamev1.GetSessionRequest{SessionId: id})
		if err != nil {
			return nil, err
		}
		if int(session.GetStatus().GetRunning()) == len(nodes) {
			for _, node := range nodes {
				working[node]++
			}
		}
	}
	after, err := f.able(ctx)
	if err == nil && fmt.Sprint(before) != fmt.Sprint(after) {
		err = errors.New("executors have come or gone in the middle of a look")
	}
	return working, err
}

// able returns the nodes of the executors that can run a task, by session.
func (f Flame) able(ctx context.Context) (map[string][]string, error) {
	list, err := f.ListExecutor(ctx, &flamev1.ListExecutorRequest{})
	nodes := map[string][]string{}
	for _, executor := range list.GetExecutors() {
		switch executor.GetStatus().GetState() {
		case flamev1.ExecutorState_EXECUTOR_STATE_BOUND, flamev1.ExecutorState_EXECUTOR_STATE_UNBINDING:
			id := ptr.Deref(executor.GetStatus().SessionId, "")
			nodes[id] = append(nodes[id], executor.GetSpec().GetNode())
		}
	}
	for _, of := range nodes {
		slices.Sort(of)
	}
	return nodes, err
}

var completedOn = regexp.MustCompile(`Completed on <([^>]+)>`)

// Places returns how many tasks of a session have succeeded on each node.
func (f Flame) Places(ctx context.Context, id string) (map[string]int, error) {
	places := map[string]int{}
	err := f.each(ctx, id, func(task *flamev1.Task) {
		if match := completedOn.FindSubmatch(task.GetSpec().GetOutput()); match != nil {
			places[string(match[1])]++
		}
	})
	return places, err
}

// WorksEverywhere waits until every executor manager is connected for good: its
// containers are ready, its node is Ready, its readiness gate says so, and tasks of a new
// session run on it. WorksEverywhere fails if an executor manager is still cut off.
func (c Cluster) WorksEverywhere(t *testing.T, f Flame, session string) {
	t.Helper()
	const milliseconds = 300
	stop := f.Feed(t, session, 2*len(c.Living(t, flamev1alpha1.ComponentExecutorManager)), milliseconds)
	Eventually(t, c.Name+": every executor manager takes tasks", func(ctx context.Context) error {
		pods, err := c.Pods(ctx, flamev1alpha1.ComponentExecutorManager)
		if err != nil {
			return err
		}
		nodes, err := f.Nodes(ctx)
		if err != nil {
			return err
		}
		places, err := f.Places(ctx, session)
		for i := range pods {
			if pod := &pods[i]; err == nil && Lives(pod) {
				err = isServing(pod, nodes[pod.Name], places[pod.Name])
			}
		}
		return err
	})
	f.Succeed(t, session, stop())
	f.Close(t, session)
}

func isServing(pod *corev1.Pod, state flamev1.NodeState, tasks int) error {
	conditions := map[corev1.PodConditionType]corev1.ConditionStatus{}
	for _, condition := range pod.Status.Conditions {
		conditions[condition.Type] = condition.Status
	}
	for _, kind := range []corev1.PodConditionType{corev1.ContainersReady, flamev1alpha1.GateNodeReady, corev1.PodReady} {
		if conditions[kind] != corev1.ConditionTrue {
			return fmt.Errorf("%s of pod %s is %q", kind, pod.Name, conditions[kind])
		}
	}
	if state != flamev1.NodeState_NODE_STATE_READY {
		return fmt.Errorf("node %s is %s", pod.Name, state)
	}
	if tasks == 0 {
		return fmt.Errorf("no task has succeeded on %s", pod.Name)
	}
	return nil
}
