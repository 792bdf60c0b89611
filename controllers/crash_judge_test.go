// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame/flametest"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
	"github.com/xflops/flame-operator/internal/stored"
)

// This file judges every write just before it is done, and what comes of it.

// judgeCreation looks whether there is room for a pod.
func (w *world) judgeCreation(o client.Object) {
	if o.GetLabels()[flamev1alpha1.LabelComponent] != flamev1alpha1.ComponentExecutorManager {
		return
	}
	if live := len(w.managers()); live >= w.most {
		w.violation("executor manager %d is created where there may be %d", live+1, w.most)
	}
}

// judgeDeletion looks whether a pod that goes was cordoned or drains, and whether
// enough remain. A cluster that is suspended or deleted waits for nothing.
func (w *world) judgeDeletion(o client.Object, options *client.DeleteOptions) {
	p := w.process(o.GetName())
	if p == nil || !p.alive || w.hurries() {
		return
	}
	switch holds, listed := w.flame.holds(p.name); {
	case options.GracePeriodSeconds != nil:
		w.violation("%s is deleted without a drain", p.name)
	case p.linked && listed && holds == 0:
		w.violation("%s is deleted without a cordon", p.name)
	}
	ready := 0
	for _, pod := range w.managers() {
		if pod.Name != p.name && isReady(&pod) {
			ready++
		}
	}
	if ready < w.least {
		w.violation("%s is deleted, which leaves %d that are ready of %d", p.name, ready, w.least)
	}
}

// hurries says whether the cluster waits for no task.
func (w *world) hurries() bool {
	object := stored.New()
	err := w.reach.cache.Get(w.Context(), w.key(), object)
	if apierrors.IsNotFound(err) {
		return true
	}
	require.NoError(w, err)
	suspended, _, _ := unstructured.NestedBool(object.Object, "spec", "suspend")
	return object.GetDeletionTimestamp() != nil || suspended
}

// managers returns the executor managers' pods that are to stay.
func (w *world) managers() (pods []corev1.Pod) {
	for _, pod := range w.list() {
		if pod.Labels[flamev1alpha1.LabelComponent] == flamev1alpha1.ComponentExecutorManager &&
			pod.DeletionTimestamp == nil && pod.Status.Phase != corev1.PodFailed {
			pods = append(pods, pod)
		}
	}
	return pods
}

func isReady(pod *corev1.Pod) bool { return podstate.Of(pod, "").Ready }

// judgeNode looks at a call of the operator that is about a node.
func (m *modelFlame) judgeNode(call flametest.Call) {
	p := m.world.process(call.Name)
	connected := p != nil && p.alive && p.linked
	fenced := !m.fencedAt[call.Name].IsZero()
	holds, _ := m.holds(call.Name)
	switch {
	case call.Verb == "RegisterNode" && fenced && !connected:
		m.world.violation("%s is registered while its fence drains it", call.Name)
	case call.Verb == "WatchNode" && connected:
		m.world.violation("%s is fenced while its process is connected", call.Name)
	case call.Verb == "WatchNode" && fenced:
		m.world.violation("%s is fenced twice", call.Name)
	case call.Verb == "ReleaseNode" && holds > 0:
		m.world.violation("%s is released with %d executors on it", call.Name, holds)
	}
}

// judgeExecutor looks at a call that is about an executor.
func (m *modelFlame) judgeExecutor(call flametest.Call) {
	e, work := m.executor(call.Name), m.work[call.Name]
	switch {
	case call.Verb == "UnregisterExecutor" && work != nil && work.task != nil:
		m.world.violation("%s is taken off while it runs a task", call.Name)
	case call.Verb == "UnbindExecutor" && (e == nil || e.State != observation.Bound):
		m.world.violation("%s is unbound, which is not Bound: %+v", call.Name, e)
	case call.Verb == "UnbindExecutor" && work.task == nil:
		m.world.violation("%s is unbound while it waits", call.Name)
	}
}

// carryOut is a call of the operator. What it does to the lists the server knows;
// this is what it does to streams.
func (m *modelFlame) carryOut(call flametest.Call, effect func() error) error {
	m.judgeNode(call)
	m.judgeExecutor(call)
	if err := effect(); err != nil {
		return err
	}
	now := m.world.now()
	switch call.Verb {
	case "RegisterNode":
		delete(m.drains, call.Name)
		delete(m.beats, call.Name)
		if call.Allocatable == (observation.Resources{}) {
			m.beats[call.Name] = now.Add(heartbeat)
		}
		for _, e := range m.server.State().Executors {
			if e.Node == call.Name {
				m.work[e.ID].unheard = false // It is sent all its executors.
			}
		}
	case "WatchNode":
		m.drains[call.Name], m.fencedAt[call.Name] = now.Add(nodeDrain), now
	case "ReleaseNode":
		delete(m.drains, call.Name)
		delete(m.fencedAt, call.Name)
		delete(m.beats, call.Name)
	}
	return nil
}

// processEnds looks whether a task ends with its process that should not.
func (m *modelFlame) processEnds(node string) {
	for _, e := range m.server.State().Executors {
		if w := m.work[e.ID]; e.Node == node && w != nil && w.task != nil {
			w.task.excused++
			if pod := m.world.process(node); !m.world.hurries() && m.world.pod(pod.uid) != nil {
				m.world.violation("%s ends while it runs a task", node)
			}
		}
	}
}
