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

func TestOneThingIsOneEvent(t *testing.T) {
	const yes, no = metav1.ConditionTrue, metav1.ConditionFalse
	said := func(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
	}
	const refusal = "create Pod: the ResourceQuota refuses it"
	for name, test := range map[string]struct {
		before, now []metav1.Condition
		want        []string
	}{
		"a spec that cannot run": {
			now: []metav1.Condition{
				said("SpecValid", no, "Invalid", "x is 3"), said("SessionManagerReady", no, "Starting", "does not run yet"),
				said("ScalingActive", no, "Invalid", "nothing is decided"), said("Progressing", no, "Invalid", "nothing is changed"),
				said("Ready", no, "Invalid", "the spec cannot run: x is 3"),
			},
			want: []string{"SpecValid"},
		},
		"a quota that refuses all components": {
			now: []metav1.Condition{
				said("SessionManagerReady", no, "Refused", "the session manager waits: "+refusal), said("ExecutorsReady", no, "Refused", "0 of 1 executor managers are ready: one waits: "+refusal),
				said("Progressing", yes, "Refused", refusal), said("Ready", no, "NotReady", "the session manager waits: "+refusal),
			},
			want: []string{"SessionManagerReady"},
		},
		"components that are refused for different reasons": {
			now: []metav1.Condition{
				said("SessionManagerReady", no, "Refused", "the session manager waits: a"), said("ExecutorsReady", no, "Refused", "one waits: b"),
				said("Progressing", yes, "Refused", "a"),
			},
			want: []string{"SessionManagerReady", "ExecutorsReady"},
		},
		"what was told before is not told by another": {
			before: []metav1.Condition{said("SessionManagerReady", no, "ImagePull", "no image"), said("Ready", yes, "Ready", "")},
			now:    []metav1.Condition{said("SessionManagerReady", no, "ImagePull", "no image"), said("Ready", no, "NotReady", "no image")},
		},
		"a cluster that is suspended": {
			before: []metav1.Condition{
				said("SessionManagerReady", yes, "Ready", ""), said("ExecutorsReady", yes, "Ready", ""), said("Ready", yes, "Ready", ""),
			},
			now: []metav1.Condition{
				said("SessionManagerReady", no, "Suspended", "the session manager is suspended"), said("ExecutorsReady", no, "Suspended", "the cluster is suspended"),
				said("Ready", no, "Suspended", "the cluster is suspended"),
			},
			want: []string{"SessionManagerReady"},
		},
		"a cluster that is ready again": {
			before: []metav1.Condition{said("SessionManagerReady", no, "Starting", ""), said("Ready", no, "NotReady", "")},
			now:    []metav1.Condition{said("SessionManagerReady", yes, "Ready", "a"), said("Ready", yes, "Ready", "b")},
			want:   []string{"SessionManagerReady", "Ready"},
		},
		"a new cluster that starts": {
			now:  []metav1.Condition{said("SessionManagerReady", no, "Starting", ""), said("Progressing", yes, "Starting", "components are starting")},
			want: []string{"Progressing"},
		},
		"a refusal beside components that are all ready": {
			before: []metav1.Condition{said("SessionManagerReady", yes, "Ready", ""), said("Progressing", no, "Stable", "")},
			now:    []metav1.Condition{said("SessionManagerReady", yes, "Ready", ""), said("Progressing", yes, "Refused", refusal)},
			want:   []string{"Progressing"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, condition := range Transitions(test.before, test.now) {
				got = append(got, condition.Type)
			}
			assert.Equal(t, test.want, got)
		})
	}
}
