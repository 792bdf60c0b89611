// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/words"
)

// progressing says what is being changed, or what keeps the cluster from being changed.
func (c *computation) progressing() verdict {
	failed, refused := c.first(false), c.first(true)
	switch {
	case failed != nil:
		return verdict{true, flamev1alpha1.ReasonError, "a call to the Kubernetes API failed and will be repeated: " + c.tell(*failed)}
	case c.Invalid != nil && !c.Cluster.Spec.Suspend:
		return verdict{false, flamev1alpha1.ReasonInvalid, "the edit changes nothing until the spec can run"}
	case c.Missing != nil && !c.Cluster.Spec.Suspend:
		return verdict{true, flamev1alpha1.ReasonWaitingForReference, c.Missing.Error()}
	case refused != nil:
		return verdict{true, flamev1alpha1.ReasonRefused, c.tell(*refused)}
	case c.replacing():
		return verdict{true, flamev1alpha1.ReasonReplacing, "the session manager is being replaced"}
	case c.Cluster.Spec.ObjectCache != nil && c.objectCacheIsOutdated():
		return verdict{true, flamev1alpha1.ReasonReplacing, "the object cache is being replaced"}
	default:
		return c.progressingExecutorManagers()
	}
}

// progressingExecutorManagers says whether executor managers come or go, where nothing
// else is to be told first.
func (c *computation) progressingExecutorManagers() verdict {
	e := c.executorManagers
	switch {
	case e.outdated() > 0 && e.updatedFailing > 0:
		return verdict{false, flamev1alpha1.ReasonUpdateStopped, fmt.Sprintf(
			"the update of executor managers stands still with %d of %d updated, because a new one %s", e.updated, e.desired, e.worst.Message)}
	case e.outdated() > 0:
		return verdict{true, flamev1alpha1.ReasonUpdating, fmt.Sprintf("%d of %d executor managers are updated", e.updated, e.desired)}
	case e.live != e.desired:
		return verdict{true, flamev1alpha1.ReasonScaling, fmt.Sprintf("there are %d executor managers, and %d are wanted", e.live, e.desired)}
	case e.draining > 0 && !c.Cluster.Spec.Suspend:
		return verdict{true, flamev1alpha1.ReasonDraining, fmt.Sprintf("%s may go on with tasks until %s",
			words.Count(e.draining, "deleted executor manager"), e.drainsUntil.UTC().Format(time.RFC3339))}
	case c.isStarting():
		return verdict{true, flamev1alpha1.ReasonStarting, "components are starting"}
	default:
		return verdict{false, flamev1alpha1.ReasonStable, "nothing is being changed"}
	}
}

func (c *computation) isStarting() bool {
	return slices.ContainsFunc(c.notTrue(ofComponents), func(condition metav1.Condition) bool {
		return condition.Reason == flamev1alpha1.ReasonStarting
	})
}

// reconciling says what is on its way to what the spec asks for. What comes and goes with
// the load, and tasks that end after everything else, are no part of that.
func (c *computation) reconciling() verdict {
	progressing := c.find(flamev1alpha1.ConditionProgressing)
	byLoad := c.Cluster.Spec.ExecutorManager.Autoscaling != nil && c.inPlaceBefore() == c.Cluster.Generation &&
		slices.Contains([]string{flamev1alpha1.ReasonScaling, flamev1alpha1.ReasonStarting}, progressing.Reason)
	under := progressing.Status == metav1.ConditionTrue && progressing.Reason != flamev1alpha1.ReasonDraining && !byLoad
	return verdict{under, progressing.Reason, progressing.Message}
}

// stalled says what no waiting cures.
func (c *computation) stalled() verdict {
	progressing := c.find(flamev1alpha1.ConditionProgressing)
	switch {
	case c.Invalid != nil:
		return verdict{true, flamev1alpha1.ReasonInvalid, c.find(flamev1alpha1.ConditionSpecValid).Message}
	case progressing.Reason == flamev1alpha1.ReasonUpdateStopped:
		return verdict{true, progressing.Reason, progressing.Message}
	}
	return verdict{}
}

// inPlace returns the generation of the spec that is in place or refused, so that who
// waits for Ready after an edit waits for the edit.
func (c *computation) inPlace() int64 {
	if c.find(flamev1alpha1.ConditionReconciling) == nil {
		return c.Cluster.Generation
	}
	return c.inPlaceBefore()
}

func (c *computation) inPlaceBefore() int64 {
	if before := meta.FindStatusCondition(c.old.Conditions, flamev1alpha1.ConditionReady); before != nil {
		return before.ObservedGeneration
	}
	return 0
}
