// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/podstate"
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

// storageReady tells of the claims. What they mean for a component is told with the
// component.
func (c *computation) storageReady() verdict {
	judged := storage.Judge(c.Claims)
	return verdict{judged.OK, judged.Reason, judged.Message}
}

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
