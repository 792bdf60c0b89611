// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// Transitions returns the conditions that are worth an event: those whose status or
// reason changed, and those that name other lost tasks than before. What several
// conditions say is told once, by the first of them. Blocked sessions are not among them,
// since each is told by itself.
func Transitions(before, now []metav1.Condition) []metav1.Condition {
	var worth, told []metav1.Condition
	for _, condition := range now {
		old := meta.FindStatusCondition(before, condition.Type)
		stays := old != nil && old.Status == condition.Status && old.Reason == condition.Reason
		switch {
		case condition.Type == flamev1alpha1.ConditionReconciling, condition.Type == flamev1alpha1.ConditionStalled:
			// Other conditions say the same.
		case condition.Reason == flamev1alpha1.ReasonSessionsBlocked:
		case old == nil && !worthTelling(condition), repeats(condition, told):
		case stays && !losesMore(*old, condition):
			told = append(told, condition)
		default:
			worth, told = append(worth, condition), append(told, condition)
		}
	}
	return worth
}

// repeats reports whether what a condition says has been told by others. A cluster that is
// not ready lacks a component, whose condition says so.
func repeats(condition metav1.Condition, told []metav1.Condition) bool {
	return slices.ContainsFunc(told, func(other metav1.Condition) bool {
		switch {
		case condition.Reason == flamev1alpha1.ReasonNotReady:
			return other.Status == metav1.ConditionFalse
		case other.Reason != condition.Reason:
			return false
		case condition.Type == flamev1alpha1.ConditionReady && condition.Status == metav1.ConditionTrue:
			return false
		}
		return !slices.Contains(components, condition.Type) || ofWholeCluster(condition.Reason) || cause(other) == cause(condition)
	})
}

// components are the conditions that are each about another part of a cluster.
var components = []string{
	flamev1alpha1.ConditionSessionManagerReady, flamev1alpha1.ConditionExecutorsReady, flamev1alpha1.ConditionObjectCacheReady,
}

func ofWholeCluster(reason string) bool {
	return reason == flamev1alpha1.ReasonSuspended || reason == flamev1alpha1.ReasonInvalid
}

// cause returns what a condition's message says after the component and how it fares.
func cause(condition metav1.Condition) string {
	_, why, found := strings.Cut(condition.Message, waits)
	if !found {
		return condition.Message
	}
	return why
}

// losesMore reports whether a condition names other lost tasks than before.
func losesMore(old, now metav1.Condition) bool {
	return now.Reason == flamev1alpha1.ReasonTasksLost && old.Message != now.Message
}

// worthTelling reports whether a condition that did not exist before is worth an event.
// Conditions that every new cluster has are not.
func worthTelling(condition metav1.Condition) bool {
	return condition.Type == flamev1alpha1.ConditionProgressing || EventType(condition) == corev1.EventTypeWarning
}

// EventType returns Warning for conditions that need somebody's attention, and Normal for
// the others.
func EventType(condition metav1.Condition) string {
	switch condition.Reason {
	case flamev1alpha1.ReasonImagePull, flamev1alpha1.ReasonCrashing, flamev1alpha1.ReasonConfigError,
		flamev1alpha1.ReasonInvalid, flamev1alpha1.ReasonRefused, flamev1alpha1.ReasonError, flamev1alpha1.ReasonUpdateStopped,
		flamev1alpha1.ReasonTolerated, flamev1alpha1.ReasonWaitingForReference, flamev1alpha1.ReasonMultipleReplicas, flamev1alpha1.ReasonTasksLost,
		flamev1alpha1.ReasonCannotGrow, flamev1alpha1.ReasonCannotChange, flamev1alpha1.ReasonTerminating, flamev1alpha1.ReasonClaimLost:
		return corev1.EventTypeWarning
	}
	return corev1.EventTypeNormal
}
