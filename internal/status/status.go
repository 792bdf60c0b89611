// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package status turns facts about a cluster into its whole status. The package is pure:
// every status is computed anew from the facts, and the status before contributes only
// what cannot be known otherwise, such as the times of transitions.
//
// Messages are for users and hold no names of executor manager pods, which change while
// nothing else does and would have the status written again and again.
package status

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/autoscale"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/podstate"
	"github.com/xflops/flame-operator/internal/storage"
)

// Facts is what a status is computed from.
type Facts struct {
	// Cluster is the cluster with the status that it had.
	Cluster *flamev1alpha1.FlameCluster
	// SessionManager is the session manager's pod, or nil.
	SessionManager *podstate.Pod
	// ExecutorManagerHash is the hash that up-to-date executor managers carry. It is empty
	// while the spec is invalid.
	ExecutorManagerHash string
	// ExecutorManagers are all executor manager pods.
	ExecutorManagers []podstate.Pod
	// ObjectCache is the object cache's StatefulSet, or nil, and ObjectCachePods are its
	// pods. Up-to-date pods carry ObjectCacheHash, which is empty while the spec is
	// invalid.
	ObjectCache     *appsv1.StatefulSet
	ObjectCachePods []podstate.Pod
	ObjectCacheHash string
	// Claims are the claims that the cluster uses.
	Claims []storage.Wanted
	// Flame is what the cluster's session manager said last.
	Flame observation.Latest
	// Desired is how many executor managers are wanted. The number is ignored while the
	// spec is invalid.
	Desired int
	// Autoscaling is what autoscaling decided, and nil without it.
	Autoscaling *autoscale.Decision
	// Invalid says what is wrong with the spec. Missing says which object that the
	// cluster needs does not exist or belongs to somebody else.
	Invalid, Missing error
	// StandsIn says that the cluster's spec is the last one that could run, in place of
	// the invalid one. Tolerated are the problems of a valid spec that ran before they
	// were known as problems.
	StandsIn  bool
	Tolerated []string
	// Obstacles are the writes and reads that did not succeed, in the order in which
	// they were tried.
	Obstacles []Obstacle
	// Now is the time of transitions that happen in this status.
	Now time.Time
}

// Compute returns the status of a cluster.
func Compute(f Facts) flamev1alpha1.FlameClusterStatus {
	c := &computation{Facts: f, old: f.Cluster.Status}
	c.executorManagers = countExecutorManagers(f)
	c.sessionManager = c.sessionManagerHealth()
	c.lost = c.countLost()
	c.load = c.computeLoad()
	for _, r := range c.table() {
		if said := r.says(); said.status || !r.abnormal {
			c.set(r.kind, said)
		}
	}
	return flamev1alpha1.FlameClusterStatus{
		Conditions:         c.list,
		ObservedGeneration: f.Cluster.Generation,
		State:              c.state(),
		Message:            c.message(),
		SessionManager: flamev1alpha1.SessionManagerStatus{
			Ready:    c.sessionManager.Ready(),
			Endpoint: naming.Endpoint(f.Cluster.Name, f.Cluster.Namespace),
		},
		ExecutorManager: flamev1alpha1.ExecutorManagerStatus{
			Replicas: c.executorManagers.live,
			Ready:    c.executorManagers.ready,
			Updated:  c.updated(),
			Busy:     c.busy(),
			Draining: c.executorManagers.draining,
			Desired:  c.executorManagers.desired,
			Selector: labels.SelectorFromSet(naming.Selector(f.Cluster.Name, flamev1alpha1.ComponentExecutorManager)).String(),
		},
		ObjectCache: c.objectCache(),
		Load:        c.load,
		Autoscaling: c.autoscaling(),
	}
}

// computation holds what the parts of a status share.
type computation struct {
	Facts
	old              flamev1alpha1.FlameClusterStatus
	executorManagers executorManagers
	sessionManager   podstate.Health
	lost             lossCount
	load             *flamev1alpha1.LoadStatus
	list             []metav1.Condition
}

// sessionManagerStart returns the time at which the session manager started, and zero if
// it has not.
func (c *computation) sessionManagerStart() time.Time {
	if c.SessionManager == nil {
		return time.Time{}
	}
	return c.SessionManager.StartedAt
}

// nothingRuns reports whether the spec is invalid and none stands in for it.
func (f Facts) nothingRuns() bool { return f.Invalid != nil && !f.StandsIn }

// state sums the cluster up. A spec that is invalid fails a cluster that never ran, and
// suspends it all the same.
func (c *computation) state() flamev1alpha1.State {
	switch {
	case c.Cluster.Spec.Suspend:
		return flamev1alpha1.StateSuspended
	case c.nothingRuns():
		return flamev1alpha1.StateFailed
	case c.sessionManager.Failed(), c.executorManagers.allFail():
		return flamev1alpha1.StateFailed
	case c.sessionManager.Ready() && (c.executorManagers.ready > 0 || c.executorManagers.desired == 0):
		return flamev1alpha1.StateRunning
	default:
		return flamev1alpha1.StatePending
	}
}

// message explains the state by the first condition that is not True or, if everything
// that is wanted is ready, by what was refused or failed, or by an update that stands still.
func (c *computation) message() string {
	if wrong := c.notTrue(func(r row) bool { return r.first }); len(wrong) > 0 {
		return wrong[0].Message
	}
	progressing, ready := c.find(flamev1alpha1.ConditionProgressing), c.find(flamev1alpha1.ConditionReady)
	if len(c.Obstacles) > 0 || ready == nil || progressing.Reason == flamev1alpha1.ReasonUpdateStopped {
		return progressing.Message
	}
	return ready.Message
}

// updated returns the number of ready executor managers of the current spec. An invalid spec
// makes no pods to compare with, so the number before stands.
func (c *computation) updated() int32 {
	if c.nothingRuns() {
		return c.old.ExecutorManager.Updated
	}
	return c.executorManagers.updated
}

func (c *computation) objectCache() *flamev1alpha1.ObjectCacheStatus {
	if c.Cluster.Spec.ObjectCache == nil {
		return nil
	}
	return &flamev1alpha1.ObjectCacheStatus{
		Ready:    c.objectCacheIsReady(),
		Endpoint: naming.CacheEndpoint(c.Cluster.Name, c.Cluster.Namespace),
	}
}

// objectCacheIsReady reports whether enough pods are ready. The pods themselves count,
// since their StatefulSet counts a pod that was deleted a moment ago as ready.
func (c *computation) objectCacheIsReady() bool {
	if c.Cluster.Spec.Suspend || c.ObjectCache == nil || c.objectCacheIsOutdated() {
		return false
	}
	ready := int32(0)
	for i := range c.ObjectCachePods {
		if c.ObjectCachePods[i].Health.Ready() {
			ready++
		}
	}
	return ready >= *c.Cluster.Spec.ObjectCache.Replicas
}

// objectCacheIsOutdated reports whether any pod is of another spec than the current one.
func (c *computation) objectCacheIsOutdated() bool {
	return c.ObjectCacheHash != "" && slices.ContainsFunc(c.ObjectCachePods, func(pod podstate.Pod) bool {
		return pod.Hash != c.ObjectCacheHash
	})
}

// FoundValid reports whether an operator found the current spec of a cluster valid. A
// status that tells of a failed call, or of a missing Secret, says nothing of the spec.
func FoundValid(cluster *flamev1alpha1.FlameCluster) bool {
	valid := meta.FindStatusCondition(cluster.Status.Conditions, flamev1alpha1.ConditionSpecValid)
	progressing := meta.FindStatusCondition(cluster.Status.Conditions, flamev1alpha1.ConditionProgressing)
	return valid != nil && valid.Status == metav1.ConditionTrue && valid.ObservedGeneration == cluster.Generation &&
		progressing != nil && progressing.Reason != flamev1alpha1.ReasonError && progressing.Reason != flamev1alpha1.ReasonWaitingForReference
}
