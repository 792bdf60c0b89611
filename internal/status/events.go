// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package status

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// Transitions returns the conditions that are worth an event: those whose status or
// reason changed, and those that name other lost tasks than before.
func Transitions(before, now []metav1.Condition) []metav1.Condition {
	var worth []metav1.Condition
	for _, condition := range now {
		old := meta.FindStatusCondition(before, condition.Type)
		switch {
		case condition.Type == flamev1alpha1.ConditionReconciling, condition.Type == flamev1alpha1.ConditionStalled:
			// Other conditions say the same.
		case old == nil && !worthTelling(condition):
		case old != nil && old.Status == condition.Status && old.Reason == condition.Reason && !losesMore(*old, condition):
		default:
			worth = append(worth, condition)
		}
	}
	return worth
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
		flamev1alpha1.ReasonTolerated, flamev1alpha1.ReasonWaitingForReference, flamev1alpha1.ReasonMultipleReplicas, flamev1alpha1.ReasonTasksLost:
		return corev1.EventTypeWarning
	}
	return corev1.EventTypeNormal
}
