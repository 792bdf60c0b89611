// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

func TestWhatIsWorthAnEvent(t *testing.T) {
	said := func(status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Type: flamev1alpha1.ConditionSessionManagerReady, Status: status, Reason: reason, Message: message}
	}
	ready := said(metav1.ConditionTrue, flamev1alpha1.ReasonReady, "is ready")
	lost := said(metav1.ConditionTrue, flamev1alpha1.ReasonTasksLost, "1 task")
	for name, test := range map[string]struct {
		before, now metav1.Condition
		want        bool
	}{
		"another status":                      {ready, said(metav1.ConditionFalse, flamev1alpha1.ReasonStarting, "is starting"), true},
		"another reason":                      {ready, lost, true},
		"another message is not":              {ready, said(metav1.ConditionTrue, flamev1alpha1.ReasonReady, "is very ready"), false},
		"more lost tasks":                     {lost, said(metav1.ConditionTrue, flamev1alpha1.ReasonTasksLost, "2 tasks"), true},
		"what a new cluster says is not":      {metav1.Condition{}, ready, false},
		"a new cluster that fails":            {metav1.Condition{}, said(metav1.ConditionFalse, flamev1alpha1.ReasonImagePull, "no image"), true},
		"nothing new about lost tasks is not": {lost, lost, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := Transitions([]metav1.Condition{test.before}, []metav1.Condition{test.now})
			assert.Equal(t, test.want, len(got) == 1)
		})
	}
	assert.Equal(t, corev1.EventTypeWarning, EventType(lost))
	assert.Equal(t, corev1.EventTypeNormal, EventType(ready))
}
