// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package podstate

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

func TestAPodIsBeingCreatedFromItsNodeToItsFirstContainer(t *testing.T) {
	creating := corev1.ContainerStatus{Name: "executor-manager", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}}
	pulls := corev1.ContainerStatus{Name: "wait", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}}
	scheduled := []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: at(7)}}
	for name, test := range map[string]struct {
		pod  corev1.Pod
		want metav1.Time
	}{
		"no node yet":                {corev1.Pod{}, metav1.Time{}},
		"nothing is reported":        {corev1.Pod{Spec: corev1.PodSpec{NodeName: "n"}}, at(3)},
		"since it got its node":      {corev1.Pod{Spec: corev1.PodSpec{NodeName: "n"}, Status: corev1.PodStatus{Conditions: scheduled, ContainerStatuses: []corev1.ContainerStatus{creating}}}, at(7)},
		"its init container runs":    {corev1.Pod{Spec: corev1.PodSpec{NodeName: "n"}, Status: corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{running("wait")}, ContainerStatuses: []corev1.ContainerStatus{creating}}}, metav1.Time{}},
		"its image cannot be pulled": {corev1.Pod{Spec: corev1.PodSpec{NodeName: "n"}, Status: corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{pulls}}}, metav1.Time{}},
		"it is over":                 {corev1.Pod{Spec: corev1.PodSpec{NodeName: "n"}, Status: corev1.PodStatus{Phase: corev1.PodFailed}}, metav1.Time{}},
		"it is on its way out":       {corev1.Pod{Spec: corev1.PodSpec{NodeName: "n"}, ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{}}}, metav1.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			test.pod.CreationTimestamp = at(3)
			assert.Equal(t, test.want.Time, Of(&test.pod, flamev1alpha1.ComponentExecutorManager).CreatingSince)
		})
	}
}

func TestTheSlowestIsLookedAt(t *testing.T) {
	assert.Equal(t, -1, SlowestCreated([]Pod{{Name: "a"}}))
	assert.Equal(t, 2, SlowestCreated([]Pod{{Name: "c", CreatingSince: noon}, {Name: "a"}, {Name: "b", CreatingSince: noon}, {Name: "d", CreatingSince: noon.Add(1)}}))
}

func TestEventsSayWhatKeepsAContainerFromBeingMade(t *testing.T) {
	pod := Pod{Name: "c-executor-manager-abcde", UID: "uid-of-the-pod"}
	event := func(reason, note string, ago time.Duration) eventsv1.Event {
		return eventsv1.Event{Reason: reason, Note: note, DeprecatedLastTimestamp: metav1.NewTime(noon.Add(-ago))}
	}
	const noSecret = `MountVolume.SetUp failed for volume "creds" : secret "not-there-yet" not found`
	for name, test := range map[string]struct {
		events []eventsv1.Event
		want   Health
	}{
		"a Secret that does not exist": {
			[]eventsv1.Event{event("Scheduled", "assigned to n", 0), event("FailedMount", noSecret, time.Minute)},
			Health{flamev1alpha1.ReasonConfigError, "cannot start a container: " + noSecret},
		},
		"the same of two, whichever is the newest": {
			[]eventsv1.Event{event("FailedMount", `MountVolume.SetUp failed for volume "x" : configmap "y" not found`, 0), event("FailedMount", noSecret, time.Minute)},
			Health{flamev1alpha1.ReasonConfigError, "cannot start a container: " + noSecret},
		},
		"a sum is told if nothing else is": {
			[]eventsv1.Event{event("FailedMount", "Unable to attach or mount volumes: unmounted volumes=[a]", 0)},
			Health{flamev1alpha1.ReasonPending, "waits: Unable to attach or mount volumes: unmounted volumes=[a]"},
		},
		"a sum is not told beside the cause": {
			[]eventsv1.Event{event("FailedMount", "Unable to attach or mount volumes: unmounted volumes=[a]", 0), event("FailedAttachVolume", "Volume is used elsewhere", 0)},
			Health{flamev1alpha1.ReasonPending, "waits: Volume is used elsewhere"},
		},
		"names and IDs are left out": {
			[]eventsv1.Event{event("FailedCreatePodSandBox", "sandbox "+strings.Repeat("0a", 32)+"\nof c-executor-manager-abcde (uid-of-the-pod)\nvolume pvc-0f0e0d0c-1234-4abc-8def-0123456789ab", 0)},
			Health{flamev1alpha1.ReasonPending, "waits: sandbox … of … (…) volume pvc-…"},
		},
		"what is long past": {[]eventsv1.Event{event("FailedMount", noSecret, 6*time.Minute)}, Health{}},
		"a series goes on": {
			[]eventsv1.Event{{Reason: "FailedMount", Note: noSecret, EventTime: metav1.NewMicroTime(noon.Add(-time.Hour)), Series: &eventsv1.EventSeries{LastObservedTime: metav1.NewMicroTime(noon)}}},
			Health{flamev1alpha1.ReasonConfigError, "cannot start a container: " + noSecret},
		},
		"nothing of the kind": {[]eventsv1.Event{event("Pulling", "Pulling image", 0)}, Health{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, told := pod.Hindered(test.events, noon)
			assert.Equal(t, test.want, got)
			assert.Equal(t, test.want != Health{}, told)
		})
	}
	long, _ := pod.Hindered([]eventsv1.Event{event("FailedMount", strings.Repeat("x", 10_000), 0)}, noon)
	assert.LessOrEqual(t, len(long.Message), 800)
}
