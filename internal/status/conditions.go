// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/storage"
	"github.com/xflops/flame-operator/internal/words"
)

// row describes one condition.
type row struct {
	kind string
	says func() verdict
	// component says that the condition is about a component: Ready depends on it, and
	// Progressing does while the component starts. first says that the condition's
	// message becomes the status's message if no earlier such condition is false.
	component, first bool
	// abnormal says that the condition is listed only while it is true, as kstatus and
	// Flux have it.
	abnormal bool
}

// table returns all conditions in the order in which they are listed. Each condition may
// rest on those before it.
func (c *computation) table() []row {
	rows := []row{
		{kind: flamev1alpha1.ConditionSpecValid, says: c.specValid, first: true},
		{kind: flamev1alpha1.ConditionSessionManagerReady, says: c.sessionManagerReady, component: true, first: true},
		{kind: flamev1alpha1.ConditionExecutorsReady, says: c.executorsReady, component: true, first: true},
		{kind: flamev1alpha1.ConditionObjectCacheReady, says: c.objectCacheReady, component: true, first: true},
		{kind: flamev1alpha1.ConditionStorageReady, says: c.storageReady},
		{kind: flamev1alpha1.ConditionScalingActive, says: c.scalingActive},
		{kind: flamev1alpha1.ConditionProgressing, says: c.progressing},
		{kind: flamev1alpha1.ConditionReconciling, says: c.reconciling, abnormal: true},
		{kind: flamev1alpha1.ConditionStalled, says: c.stalled, abnormal: true},
		{kind: flamev1alpha1.ConditionReady, says: c.ready},
	}
	return slices.DeleteFunc(rows, func(r row) bool {
		return r.kind == flamev1alpha1.ConditionObjectCacheReady && c.Cluster.Spec.ObjectCache == nil ||
			r.kind == flamev1alpha1.ConditionStorageReady && len(c.Claims) == 0 ||
			r.kind == flamev1alpha1.ConditionScalingActive && c.Cluster.Spec.ExecutorManager.Autoscaling == nil ||
			r.kind == flamev1alpha1.ConditionReady && c.Cluster.Spec.Suspend
	})
}

// notTrue returns the conditions set so far that are not True, of the rows that of selects.
func (c *computation) notTrue(of func(row) bool) []metav1.Condition {
	var conditions []metav1.Condition
	for _, r := range c.table() {
		if condition := c.find(r.kind); of(r) && condition != nil && condition.Status != metav1.ConditionTrue {
			conditions = append(conditions, *condition)
		}
	}
	return conditions
}

func ofComponents(r row) bool { return r.component }

// verdict is a condition without its type and times.
type verdict struct {
	status          bool
	reason, message string
}

// longestMessage is how much the API server takes for the message of a condition, in bytes
// of which each is a character at most.
const longestMessage = 32768

// set adds a condition. The time of its last transition stays what it was unless
// its status changes.
func (c *computation) set(kind string, v verdict) {
	condition := metav1.Condition{
		Type: kind, Status: metav1.ConditionFalse, Reason: v.reason, Message: words.Cut(v.message, longestMessage),
		ObservedGeneration: c.Cluster.Generation, LastTransitionTime: metav1.NewTime(c.Now),
	}
	if v.status {
		condition.Status = metav1.ConditionTrue
	}
	if kind == flamev1alpha1.ConditionReady {
		condition.ObservedGeneration = c.inPlace()
	}
	if before := meta.FindStatusCondition(c.old.Conditions, kind); before != nil && before.Status == condition.Status {
		condition.LastTransitionTime = before.LastTransitionTime
		if before.Reason == v.reason && tellsAsMuch(*before, v) {
			condition.Message = before.Message
		}
	}
	c.list = append(c.list, condition)
}

// tellsAsMuch reports whether the message that a condition had, of the same reason, says
// all that a verdict says, so that there is nothing to write. Some kubelets say only on
// each try why an image cannot be pulled, and not between two tries.
func tellsAsMuch(before metav1.Condition, v verdict) bool {
	switch v.reason {
	case flamev1alpha1.ReasonError:
		return sameButNumbers(before.Message, v.message)
	case flamev1alpha1.ReasonImagePull, flamev1alpha1.ReasonUpdateStopped:
		return strings.HasPrefix(before.Message, v.message+": ")
	}
	return false
}

func (c *computation) find(kind string) *metav1.Condition {
	return meta.FindStatusCondition(c.list, kind)
}

func (c *computation) specValid() verdict {
	if c.Invalid != nil {
		return verdict{false, flamev1alpha1.ReasonInvalid, c.withoutNames(c.Invalid.Error())}
	}
	if len(c.Tolerated) > 0 {
		return verdict{true, flamev1alpha1.ReasonTolerated, "the spec runs on as it did, but a new one like it would be refused: " + strings.Join(c.Tolerated, "; ")}
	}
	return verdict{true, flamev1alpha1.ReasonValid, "the spec can run"}
}

// storageReady tells of the claims. What they mean for a component is told with the
// component.
func (c *computation) storageReady() verdict {
	judged := storage.Judge(c.Claims)
	return verdict{judged.OK, judged.Reason, judged.Message}
}

// ready says whether what is wanted serves: the session manager, an executor manager if
// any is wanted, and the object cache if there is one.
func (c *computation) ready() verdict {
	if c.nothingRuns() {
		return verdict{false, flamev1alpha1.ReasonInvalid, "the spec cannot run: " + c.withoutNames(c.Invalid.Error())}
	}
	var missing []string
	for _, condition := range c.notTrue(ofComponents) {
		if condition.Type != flamev1alpha1.ConditionExecutorsReady || c.executorManagers.ready == 0 {
			missing = append(missing, condition.Message)
		}
	}
	if len(missing) > 0 {
		return verdict{false, flamev1alpha1.ReasonNotReady, strings.Join(missing, "; ")}
	}
	message := fmt.Sprintf("the session manager and %d executor managers are ready", c.executorManagers.ready)
	if c.lost.count > 0 {
		message += fmt.Sprintf("; %d tasks are lost, see %s", c.lost.count, flamev1alpha1.ConditionSessionManagerReady)
	}
	if c.load != nil && c.load.SessionsBlocked > 0 {
		message += fmt.Sprintf("; %s cannot start, see status.load.blocked", words.Count(c.load.SessionsBlocked, "session"))
	}
	return verdict{true, flamev1alpha1.ReasonReady, message}
}

// withoutNames removes the names of executor manager pods from an error.
func (c *computation) withoutNames(message string) string {
	prefix := naming.ExecutorManagerPrefix(c.Cluster.Name)
	return regexp.MustCompile(regexp.QuoteMeta(prefix)+`[a-z0-9]{5}\b`).ReplaceAllString(message, prefix+"…")
}
