// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/podstate"
)

const (
	// halt is for how long the drain of a busy executor manager halts it, and
	// haltEvery how often; abandoned is how long it goes on without a session manager.
	halt, haltEvery, abandoned = 4 * time.Second, 30 * time.Second, time.Minute
	// lingers is how long the process of a force-deleted pod lives on.
	lingers = 5 * time.Second
)

// process is that of an executor manager.
type process struct {
	name string
	uid  types.UID
	// alive processes run, and linked ones have a stream to the session manager,
	// as connected ones have had.
	alive, linked, connected bool
	retryAt                  time.Time
	cutOffSince              time.Time
	// drainsSince is when its preStop hook began, killAt when it ends in any case.
	drainsSince, killAt time.Time
	// told is what was last written into its pod's status.
	told condition
}

// condition is what a pod's status says: that its container runs, that its startup
// probe has succeeded, and so on.
type condition struct{ runs, started, linked, ready, ended bool }

type sessionManagerProcess struct {
	uid     types.UID
	readyAt time.Time
	endAt   time.Time
	told    condition
}

// live lets everything but the operator do what is due.
func (w *world) live() {
	bindClaims(w, w.reach.live, w.namespace)
	w.pods = w.list()
	slices.SortFunc(w.pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	for i := range w.pods {
		switch w.pods[i].Labels[flamev1alpha1.LabelComponent] {
		case flamev1alpha1.ComponentExecutorManager:
			w.start(&w.pods[i])
		case flamev1alpha1.ComponentSessionManager:
			w.runSessionManager(&w.pods[i])
		}
	}
	if w.sessionManager.uid != "" && w.pod(w.sessionManager.uid) == nil {
		w.endSessionManager()
	}
	w.flame.tick()
	for _, p := range w.processes {
		w.run(p)
	}
}

func (w *world) pod(uid types.UID) *corev1.Pod {
	for i := range w.pods {
		if w.pods[i].UID == uid {
			return &w.pods[i]
		}
	}
	return nil
}

func (w *world) process(name string) *process {
	for _, p := range w.processes {
		if p.name == name {
			return p
		}
	}
	return nil
}

// start starts a pod that is new.
func (w *world) start(pod *corev1.Pod) {
	if w.process(pod.Name) != nil || pod.DeletionTimestamp != nil {
		return
	}
	w.processes = append(w.processes, &process{
		name: pod.Name, uid: pod.UID, alive: true, retryAt: w.now().Add(time.Second), cutOffSince: w.now(),
	})
}

// run takes a process, and what its pod says of it, as far as it has come.
func (w *world) run(p *process) {
	pod := w.pod(p.uid)
	if p.alive {
		w.drain(p, pod)
	}
	switch {
	case p.alive && !p.linked && w.flame.reachable && p.drainsSince.IsZero() && !w.now().Before(p.retryAt):
		w.flame.Connect(p.name)
		p.linked, p.connected, w.moved = true, true, true
	case p.alive && !p.linked:
		w.wake(p.retryAt)
	}
	if pod == nil || !p.connected && p.alive { // Until then there is nothing worth telling.
		return
	}
	if p.told.ended { // It was seen to have ended.
		w.remove(pod)
		return
	}
	p.told = w.tell(pod, p.told, condition{runs: p.alive, started: p.connected, linked: p.linked, ready: p.linked && podstate.Of(pod, flamev1alpha1.ComponentExecutorManager).Gate, ended: !p.alive})
}

// drain is what becomes of a process whose pod goes: its hook waits until it
// serves no session, as long as its grace period lasts and its session manager.
func (w *world) drain(p *process, pod *corev1.Pod) {
	now := w.now()
	switch {
	case pod == nil && p.killAt.Sub(now) > lingers, pod == nil && p.drainsSince.IsZero():
		p.drainsSince, p.killAt = now, now.Add(lingers)
	case pod != nil && pod.DeletionTimestamp != nil && p.drainsSince.IsZero():
		p.drainsSince, p.killAt = now, pod.DeletionTimestamp.Time
	case p.drainsSince.IsZero():
		return
	}
	serves := w.flame.Serves(p.name)
	switch given := p.cutOffSince.Add(abandoned); {
	case !now.Before(p.killAt), !serves && pod != nil, !p.linked && !now.Before(given):
		w.end(p)
	default:
		if w.wake(p.killAt); !p.linked {
			w.wake(given)
		}
	}
}

func (w *world) end(p *process) {
	w.moved = true
	p.alive, p.linked = false, false
	w.flame.judgeEnd(p)
	w.flame.End(p.name)
}

// runSessionManager takes the session manager as far as it has come.
func (w *world) runSessionManager(pod *corev1.Pod) {
	sm := &w.sessionManager
	now := w.now()
	if sm.uid != pod.UID {
		if sm.uid != "" {
			w.violation("there are two session managers")
		}
		if pod.DeletionTimestamp != nil {
			w.remove(pod)
			return
		}
		*sm = sessionManagerProcess{uid: pod.UID, readyAt: now.Add(time.Second)}
	}
	if pod.DeletionTimestamp != nil && sm.endAt.IsZero() {
		sm.endAt = now.Add(time.Second)
	}
	switch {
	case !sm.endAt.IsZero() && !now.Before(sm.endAt):
		w.endSessionManager()
		w.remove(pod)
		return
	case !sm.endAt.IsZero():
		w.wake(sm.endAt)
	}
	up := !now.Before(sm.readyAt)
	if !up {
		w.wake(sm.readyAt)
	} else if !w.flame.Up {
		w.flame.startUp()
	}
	w.flame.reachable = up && pod.Labels[flamev1alpha1.LabelServing] == "true"
	sm.told = w.tell(pod, sm.told, condition{runs: true, started: up, linked: up, ready: up})
}

func (w *world) endSessionManager() {
	w.sessionManager = sessionManagerProcess{}
	w.flame.shutDown()
	for _, p := range w.processes {
		if p.linked {
			p.linked, p.cutOffSince, p.retryAt = false, w.now(), w.now().Add(time.Second)
		}
	}
}

// remove is the kubelet's last word on a pod.
func (w *world) remove(pod *corev1.Pod) {
	w.moved = true
	err := w.reach.live.Delete(w.Context(), pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID})
	require.NoError(w, client.IgnoreNotFound(err))
	w.awaitCache(&corev1.Pod{}, client.ObjectKeyFromObject(pod), func(err error) bool { return err != nil })
}

// tell writes a pod's status if it is not what was told last.
func (w *world) tell(pod *corev1.Pod, told, now condition) condition {
	if told == now {
		return told
	}
	w.moved = true
	name := pod.Labels[flamev1alpha1.LabelComponent]
	at := metav1.NewTime(w.now().Truncate(time.Second))
	container := corev1.ContainerStatus{Name: name, Ready: now.linked, Started: &now.started}
	phase := corev1.PodRunning
	started := podstate.Of(pod, name).StartedAt
	if started.IsZero() {
		started = at.Time
	}
	container.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(started)}
	if now.ended {
		phase, container.State.Running = corev1.PodFailed, nil
		container.State.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, StartedAt: metav1.NewTime(started), FinishedAt: at}
	}
	status := map[string]any{"phase": phase, "startTime": metav1.NewTime(started), "containerStatuses": []corev1.ContainerStatus{container}}
	conditions := []corev1.PodCondition{
		conditionNow(pod, corev1.ContainersReady, now.linked && !now.ended, at),
		conditionNow(pod, corev1.PodReady, now.ready && !now.ended, at),
	}
	status["conditions"] = conditions
	patch, err := json.Marshal(map[string]any{"status": status})
	require.NoError(w, err)
	answer := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	err = w.reach.live.Status().Patch(w.Context(), answer, client.RawPatch(types.StrategicMergePatchType, patch))
	if client.IgnoreNotFound(err) != nil {
		require.NoError(w, err)
	}
	if err == nil {
		w.await(&corev1.Pod{}, answer)
	}
	return now
}

// conditionNow is a condition of a pod that is, or is not, now.
func conditionNow(pod *corev1.Pod, kind corev1.PodConditionType, is bool, now metav1.Time) corev1.PodCondition {
	c := corev1.PodCondition{Type: kind, Status: corev1.ConditionFalse, LastTransitionTime: now}
	if is {
		c.Status = corev1.ConditionTrue
	}
	for _, before := range pod.Status.Conditions {
		if before.Type == kind && before.Status == c.Status {
			c.LastTransitionTime = before.LastTransitionTime
		}
	}
	return c
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
