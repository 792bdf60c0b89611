// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/nodes"
	"github.com/xflops/flame-operator/internal/words"
)

// announce emits an event for every condition whose status or reason changed, and
// for tasks that are lost in addition to others.
// It is called after the conditions were stored, so that no event tells of what
// never became true.
func (r *FlameClusterReconciler) announce(cluster *flamev1alpha1.FlameCluster, before []metav1.Condition) {
	for _, condition := range cluster.Status.Conditions {
		old := meta.FindStatusCondition(before, condition.Type)
		if old != nil && old.Status == condition.Status && old.Reason == condition.Reason && !losesMore(*old, condition) {
			continue
		}
		if old == nil && !worthTelling(condition) {
			continue
		}
		r.Recorder.Eventf(cluster, nil, eventType(condition), condition.Reason, condition.Type, "%s", words.Cut(condition.Message, longestNote))
	}
}

// longestNote is what the API server takes of an event, in bytes; a longer one is lost.
// The condition has all of it.
const longestNote = 1024

// lossEvents say why an executor manager that runs is of no more use.
var lossEvents = map[nodes.Reason]struct{ reason, text string }{
	nodes.StateLost:        {flamev1alpha1.EventStateLost, "the session manager has lost its memory, and with it the executors of this one"},
	nodes.GivenUp:          {flamev1alpha1.EventGivenUp, "Flame has given up its node"},
	nodes.Unlisted:         {flamev1alpha1.EventUnlisted, "it is connected, and Flame does not know its node"},
	nodes.CutOff:           {flamev1alpha1.EventCutOff, "it does not get back to the session manager"},
	nodes.Deaf:             {flamev1alpha1.EventDeaf, "it does not take the executors that Flame gives it"},
	nodes.RestartedInPlace: {flamev1alpha1.EventRestartedInPlace, "it was restarted in place, and Flame takes it for what it was before"},
}

// announceLoss tells of a pod that was deleted because it is of no use any more.
func (p *pass) announceLoss(pod *corev1.Pod, loss nodes.Loss) {
	told := lossEvents[loss.Reason]
	p.r.Recorder.Eventf(p.cluster, pod, corev1.EventTypeWarning, told.reason, "ReplaceExecutorManager",
		"executor manager %s is of no more use: %s (since %s)", pod.Name, told.text, loss.Since.UTC().Format(time.RFC3339))
}

// losesMore reports whether a condition names other lost tasks than before.
func losesMore(old, now metav1.Condition) bool {
	return now.Reason == flamev1alpha1.ReasonTasksLost && old.Message != now.Message
}

// worthTelling leaves out what a cluster that was just made always says.
func worthTelling(condition metav1.Condition) bool {
	return condition.Type == flamev1alpha1.ConditionProgressing || eventType(condition) == corev1.EventTypeWarning
}

// eventType is Warning for what will not get better by waiting.
func eventType(condition metav1.Condition) string {
	switch condition.Reason {
	case flamev1alpha1.ReasonImagePull, flamev1alpha1.ReasonCrashing, flamev1alpha1.ReasonConfigError,
		flamev1alpha1.ReasonInvalid, flamev1alpha1.ReasonRefused, flamev1alpha1.ReasonError, flamev1alpha1.ReasonUpdateStopped,
		flamev1alpha1.ReasonWaitingForReference, flamev1alpha1.ReasonMultipleReplicas, flamev1alpha1.ReasonTasksLost:
		return corev1.EventTypeWarning
	}
	return corev1.EventTypeNormal
}
