// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
)

// sessionManagerHealth returns the health of the session manager, and tells a replacement
// under way from a start.
func (c *computation) sessionManagerHealth() podstate.Health {
	pod := c.SessionManager
	obstacle, blocked := c.obstacle(flamev1alpha1.ComponentSessionManager)
	switch {
	case c.Cluster.Spec.Suspend:
		return podstate.Health{Reason: flamev1alpha1.ReasonSuspended, Message: "is suspended"}
	case pod == nil && c.Missing != nil:
		return podstate.Health{Reason: flamev1alpha1.ReasonWaitingForReference, Message: waits + c.Missing.Error()}
	case pod == nil && blocked:
		return obstacle
	case pod == nil:
		return podstate.Health{Reason: flamev1alpha1.ReasonStarting, Message: "does not run yet"}
	case c.replacing():
		return podstate.Health{Reason: flamev1alpha1.ReasonReplacing, Message: "is being replaced"}
	}
	return c.servingHealth(pod.Health)
}

// servingHealth returns the health of a session manager whose pod is to stay: whether it
// can become ready, and whether it works once it is ready.
func (c *computation) servingHealth(h podstate.Health) podstate.Health {
	obstacle, blocked := c.obstacle(flamev1alpha1.ComponentSessionManager)
	switch stuck := c.stuck(); {
	case blocked && !h.Ready() && !h.Failed(): // The pod waits for a refused claim, for instance.
		return obstacle
	case h.Ready() && c.silent():
		return podstate.Health{Reason: flamev1alpha1.ReasonFlameSilent, Message: "is not heard by the operator: " + sayWhy(c.Flame.Err)}
	case h.Ready() && stuck != "":
		return podstate.Health{Reason: flamev1alpha1.ReasonNotScheduling, Message: stuck}
	}
	return h
}

// sayWhy says why Flame is silent, in words that stay the same during the silence.
func sayWhy(err error) string {
	if large := (*observation.TooLarge)(nil); errors.As(err, &large) {
		return large.Error()
	}
	for _, why := range []error{observation.ErrUnreachable, observation.ErrTimeout, observation.ErrAnswer} {
		if errors.Is(err, why) {
			return why.Error()
		}
	}
	return err.Error()
}

// replacing reports whether the replacement of the session manager has begun. A session
// manager that is outdated but still in its Service works.
func (c *computation) replacing() bool {
	return c.SessionManager != nil && (c.SessionManager.Terminating || !c.SessionManager.InService)
}

// ReplacesSessionManager reports whether a status says that the session manager
// is being replaced.
func ReplacesSessionManager(status flamev1alpha1.FlameClusterStatus) bool {
	condition := meta.FindStatusCondition(status.Conditions, flamev1alpha1.ConditionSessionManagerReady)
	return condition != nil && condition.Reason == flamev1alpha1.ReasonReplacing
}

func (c *computation) sessionManagerReady() verdict {
	blocked := sayBlocked(c.load)
	switch {
	case c.sessionManager.Ready() && c.lost.count > 0:
		return verdict{true, flamev1alpha1.ReasonTasksLost, c.lost.message}
	case c.sessionManager.Ready() && blocked != "":
		return verdict{true, flamev1alpha1.ReasonSessionsBlocked, "the session manager is ready, but " + blocked}
	}
	return verdict{c.sessionManager.Ready(), c.sessionManager.Reason, "the session manager " + c.sessionManager.Message}
}

func (c *computation) executorsReady() verdict {
	e := c.executorManagers
	switch {
	case c.Cluster.Spec.Suspend:
		return verdict{false, flamev1alpha1.ReasonSuspended, "the cluster is suspended"}
	case e.desired == 0 && c.nothingRuns():
		return verdict{false, flamev1alpha1.ReasonInvalid, "nothing is decided until the spec can run"}
	case e.desired == 0:
		return verdict{true, flamev1alpha1.ReasonNoneWanted, "no executor manager is wanted"}
	case e.ready >= e.desired:
		return verdict{true, flamev1alpha1.ReasonReady, e.summary()}
	}
	if h, ok := c.obstacle(flamev1alpha1.ComponentExecutorManager); ok && !e.worst.Failed() {
		return verdict{false, h.Reason, fmt.Sprintf("%d of %d executor managers are ready: one %s", e.ready, e.desired, h.Message)}
	}
	switch {
	case e.worst.Severity() > 0:
		return verdict{false, e.worst.Reason, e.summary()}
	default:
		return verdict{false, flamev1alpha1.ReasonStarting, e.summary()}
	}
}

func (c *computation) objectCacheReady() verdict {
	replicas := *c.Cluster.Spec.ObjectCache.Replicas
	switch {
	case c.Cluster.Spec.Suspend:
		return verdict{false, flamev1alpha1.ReasonSuspended, "the cluster is suspended"}
	// Flame workaround: one-object-cache
	case c.objectCacheIsReady() && replicas > 1:
		return verdict{true, flamev1alpha1.ReasonMultipleReplicas, fmt.Sprintf(
			"%d object caches are ready, but Flame finds an object only on the one that took it: set objectCache.replicas to 1", replicas)}
	case c.objectCacheIsReady():
		return verdict{true, flamev1alpha1.ReasonReady, "the object cache is ready"}
	case c.objectCacheIsOutdated():
		return verdict{false, flamev1alpha1.ReasonReplacing, "the object cache is being replaced"}
	}
	worst := podstate.Health{Reason: flamev1alpha1.ReasonStarting, Message: "is starting"}
	if h, ok := c.obstacle(flamev1alpha1.ComponentObjectCache); ok {
		worst = h
	}
	for i := range c.ObjectCachePods {
		if h := c.ObjectCachePods[i].Health; h.Severity() > worst.Severity() {
			worst = h
		}
	}
	return verdict{false, worst.Reason, "the object cache " + worst.Message}
}
