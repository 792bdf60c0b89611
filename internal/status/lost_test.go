// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/test/clusters"
)

// started is a session manager that started some seconds ago.
func started(seconds int) change {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name:  flamev1alpha1.ComponentSessionManager,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(now.Add(-time.Duration(seconds) * time.Second))}},
		}}
	}
}

// lacks returns a Flame of which it was known, a minute ago, that sessions have lost tasks.
func lacks(tasks map[string][]int64) observation.Latest {
	o := observation.Observation{At: now}
	var answers []observation.Answer
	for session, lost := range tasks {
		o.Sessions = append(o.Sessions, observation.Session{ID: session, Open: true, Succeeded: 3})
		answers = append(answers, observation.Answer{Session: session, At: now.Add(-time.Minute), Tasks: lost})
	}
	return observation.Latest{}.Seen(o).Told(answers).Told(answers)
}

const (
	bringsBack = ": change an annotation in sessionManager.podTemplate to have it replaced, which brings them back"
	gone       = ": they cannot be brought back, because sessionManager.storage does not outlive the pod; give their work to a new session"
)

func TestLostTasksAreTold(t *testing.T) {
	one := map[string][]int64{"s": {4}}
	claim := func(s *flamev1alpha1.SessionManagerStorage) { s.ExistingClaim = "claim" }
	for name, test := range map[string]struct {
		lost    map[string][]int64
		storage func(*flamev1alpha1.SessionManagerStorage)
		change  func(*Facts)
		count   int32
		want    string
	}{
		"none is lost": {
			lost: map[string][]int64{"s": nil}, storage: claim,
			want: "True Ready: the session manager is ready",
		},
		"one is": {
			lost: one, storage: claim, count: 1,
			want: `True TasksLost: the session manager is ready, but 1 tasks are lost from its queue (session "s": 4)` + bringsBack,
		},
		"a message names a few of many": {
			lost:    map[string][]int64{"a": {1, 2, 3, 4, 5, 6}, "b": {1}, strings.Repeat("c", 90): {2}, "d": {3}},
			storage: claim, count: 9,
			want: `True TasksLost: the session manager is ready, but 9 tasks are lost from its queue (session "a": 1, 2, 3, 4, 5, …; session "b": 1; session "` +
				strings.Repeat("c", 63) + `…": 2; …)` + bringsBack,
		},
		"with a claim of its own": {
			lost: one, count: 1,
			storage: func(s *flamev1alpha1.SessionManagerStorage) {
				s.VolumeClaimTemplate = &corev1.PersistentVolumeClaimSpec{}
			},
			want: `True TasksLost: the session manager is ready, but 1 tasks are lost from its queue (session "s": 4)` + bringsBack,
		},
		"a URI may lead to what stays": {
			lost: one, count: 1,
			storage: func(s *flamev1alpha1.SessionManagerStorage) { s.URISecretRef = &flamev1alpha1.SecretKeyReference{} },
			want:    `True TasksLost: the session manager is ready, but 1 tasks are lost from its queue (session "s": 4)` + bringsBack,
		},
		"nothing brings them back where storage goes with the pod": {
			lost: one, count: 1, storage: func(*flamev1alpha1.SessionManagerStorage) {},
			want: `True TasksLost: the session manager is ready, but 1 tasks are lost from its queue (session "s": 4)` + gone,
		},
		"nor where there is none": {
			lost: one, count: 1,
			storage: func(s *flamev1alpha1.SessionManagerStorage) {
				s.Type, s.ExistingClaim = flamev1alpha1.StorageNone, "claim"
			},
			want: `True TasksLost: the session manager is ready, but 1 tasks are lost from its queue (session "s": 4)` + gone,
		},
		"a session manager that started since has them in its queue": {
			lost: one, storage: claim, change: func(f *Facts) { f.SessionManager = sessionManager(ptr.To(pod(ready, started(30)))) },
			want: "True Ready: the session manager is ready",
		},
		"while it is replaced that is more important": {
			lost: one, storage: claim, count: 1, change: func(f *Facts) { f.SessionManager = sessionManager(ptr.To(pod(ready, withdrawn, started(600)))) },
			want: "False Replacing: the session manager is being replaced",
		},
		"while Flame is silent its last word stands": {
			lost: one, storage: claim, count: 1, change: func(f *Facts) { f.Flame = f.Flame.Failed(errors.New("silent"), now) },
			want: `True TasksLost: the session manager is ready, but 1 tasks are lost from its queue (session "s": 4)` + bringsBack,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := facts(ptr.To(pod(ready, started(600))), pod(ready)).of(clusters.Parse(t, clusters.Minimal))
			f.Flame = lacks(test.lost)
			test.storage(&f.Cluster.Spec.SessionManager.Storage)
			if test.change != nil {
				test.change(&f)
			}
			got := Compute(f)
			condition := meta.FindStatusCondition(got.Conditions, flamev1alpha1.ConditionSessionManagerReady)
			assert.Equal(t, test.want, string(condition.Status)+" "+condition.Reason+": "+condition.Message)
			assert.Equal(t, test.count, got.Load.TasksLost)
		})
	}
}

func TestLostTasksAreNoReasonNotToBeReady(t *testing.T) {
	f := facts(ptr.To(pod(ready, started(600))), pod(ready)).of(clusters.Parse(t, clusters.Minimal))
	f.Flame = lacks(map[string][]int64{"s": {4}})
	got := Compute(f)
	assert.True(t, got.SessionManager.Ready)
	assert.Equal(t, flamev1alpha1.StateRunning, got.State)
	assert.Equal(t, "the session manager and 1 executor managers are ready; 1 tasks are lost, see SessionManagerReady", got.Message)
	assert.True(t, meta.IsStatusConditionTrue(got.Conditions, flamev1alpha1.ConditionReady))
}

func TestANewOperatorKeepsWhatWasLostUntilItKnowsBetter(t *testing.T) {
	f := facts(ptr.To(pod(ready, started(600))), pod(ready)).of(clusters.Parse(t, clusters.Minimal))
	f.Flame = lacks(map[string][]int64{"s": {4}})
	f.Cluster.Status = Compute(f)
	before := f.Cluster.Status

	knows := f.Flame
	asked := observation.Latest{}.Seen(*knows.Observation)
	for _, unsure := range []observation.Latest{
		{}, asked, asked.Told([]observation.Answer{{Session: "s", At: now, Tasks: []int64{4}}}),
	} {
		f.Flame = unsure
		assert.Equal(t, before, Compute(f))
	}
	f.Flame = asked.Told([]observation.Answer{{Session: "s", At: now}})
	assert.Zero(t, Compute(f).Load.TasksLost)
}
