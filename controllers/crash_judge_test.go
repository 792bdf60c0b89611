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
	switch {
	case options.GracePeriodSeconds != nil:
		w.violation("%s is deleted without a drain", p.name)
	case p.linked && w.flame.Nodes[p.name] != nil && len(w.flame.On(p.name)) == 0:
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
	node, connected := m.Nodes[call.Name], m.Connected(call.Name)
	fenced, holds := node != nil && node.Fenced, len(m.On(call.Name))
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
	e := m.Executors[call.Name]
	switch {
	case call.Verb == "UnregisterExecutor" && e != nil && e.Task != nil:
		m.world.violation("%s is taken off while it runs a task", call.Name)
	case call.Verb == "UnbindExecutor" && (e == nil || e.State != observation.Bound):
		m.world.violation("%s is unbound, which is not Bound: %+v", call.Name, e)
	case call.Verb == "UnbindExecutor" && e.Task == nil:
		m.world.violation("%s is unbound while it waits", call.Name)
	}
}

// judgeEnd looks whether a task ends with its process that should not.
func (m *modelFlame) judgeEnd(p *process) {
	for _, e := range m.On(p.name) {
		if e.Task != nil && !m.world.hurries() && m.world.pod(p.uid) != nil {
			m.world.violation("%s ends while it runs a task", p.name)
		}
	}
}
