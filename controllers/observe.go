// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"net"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/podstate"
)

// found holds the existing parts of a cluster.
type found struct {
	// sessionManager is the session manager's pod, or nil.
	sessionManager   *corev1.Pod
	executorManagers observedPods
	// objectCache is the object cache's StatefulSet, or nil.
	objectCache     *appsv1.StatefulSet
	objectCachePods []podstate.Pod
	claims          claims
}

// observedPods are the pods of a component with what is read of each.
type observedPods struct {
	objects []*corev1.Pod
	states  []podstate.Pod
}

// sessionManagerState is what is read of the session manager's pod, and nil without a pod.
func (f found) sessionManagerState() *podstate.Pod { return sessionManagerState(f.sessionManager) }

func sessionManagerState(pod *corev1.Pod) *podstate.Pod {
	if pod == nil {
		return nil
	}
	state := podstate.Of(pod, flamev1alpha1.ComponentSessionManager)
	return &state
}

// sessionManagerOrNone returns what is read of the session manager's pod, and the zero Pod
// without one.
func (f found) sessionManagerOrNone() podstate.Pod {
	return ptr.Deref(f.sessionManagerState(), podstate.Pod{})
}

// observe finds the pods and the object cache as they are.
func (p *pass) observe(ctx context.Context) (found, error) {
	var f found
	var err error
	f.sessionManager, err = p.memory.pods.Pod(ctx, p.fleet(flamev1alpha1.ComponentSessionManager), naming.SessionManager(p.cluster.Name))
	if err != nil {
		return f, err
	}
	if f.executorManagers, err = p.listExecutorManagers(ctx); err != nil {
		return f, err
	}
	f.objectCache, f.objectCachePods, err = p.observeObjectCache(ctx)
	return f, err
}

func (p *pass) listExecutorManagers(ctx context.Context) (observedPods, error) {
	objects, err := p.memory.pods.List(ctx, p.fleet(flamev1alpha1.ComponentExecutorManager))
	return observedPods{objects, podstate.OfAll(objects, flamev1alpha1.ComponentExecutorManager)}, err
}

func (p *pass) observeObjectCache(ctx context.Context) (*appsv1.StatefulSet, []podstate.Pod, error) {
	set := &appsv1.StatefulSet{}
	key := client.ObjectKey{Namespace: p.cluster.Namespace, Name: naming.ObjectCache(p.cluster.Name)}
	if err := p.r.Get(ctx, key, set); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil, nil
		}
		return nil, nil, fmt.Errorf("get StatefulSet %q: %w", key.Name, err)
	}
	list := &corev1.PodList{}
	selector := client.MatchingLabels(naming.Selector(p.cluster.Name, flamev1alpha1.ComponentObjectCache))
	if err := p.r.List(ctx, list, client.InNamespace(p.cluster.Namespace), selector); err != nil {
		return set, nil, fmt.Errorf("list the pods of StatefulSet %q: %w", key.Name, err)
	}
	states := make([]podstate.Pod, len(list.Items))
	for i := range list.Items {
		states[i] = podstate.Of(&list.Items[i], flamev1alpha1.ComponentObjectCache)
	}
	return set, states, nil
}

// observeFlame has the session manager observed and returns what it said last. A session
// manager that became ready after its observation began to fail is asked at once.
func (p *pass) observeFlame(f found) (observation.Latest, error) {
	if p.cluster.Spec.Suspend {
		p.r.Flame.Forget(p.name())
		return observation.Latest{}, nil
	}
	latest := p.r.Flame.Latest(p.name())
	pod := f.sessionManagerOrNone()
	if !pod.Ready && !latest.Known() {
		return latest, nil // A session manager that was never ready is not observed.
	}
	host := naming.SessionManagerHost(p.cluster.Name, p.cluster.Namespace)
	err := p.r.Flame.Ensure(p.name(), flame.Target{
		UID:      string(p.cluster.UID),
		Frontend: net.JoinHostPort(host, strconv.Itoa(int(naming.FrontendPort))),
		Backend:  net.JoinHostPort(host, strconv.Itoa(int(naming.BackendPort))),
	})
	if err == nil && pod.Ready && latest.Err != nil && latest.FailingSince.Before(pod.ReadySince) {
		p.r.Flame.Wake(p.name())
	}
	return latest, err
}

// isRecent reports whether what Flame said last is current, and comes from the session
// manager that runs now.
func (p *pass) isRecent(f found, latest observation.Latest) bool {
	return latest.Recent(p.now, f.sessionManagerOrNone().StartedAt)
}
