// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/test/clusters"
)

// settled is a cluster that is what its spec asks for.
func settled() *flamev1alpha1.FlameCluster {
	cluster := &flamev1alpha1.FlameCluster{ObjectMeta: metav1.ObjectMeta{Name: "c", Generation: 3}}
	cluster.Status = flamev1alpha1.FlameClusterStatus{
		ObservedGeneration: 3, State: flamev1alpha1.StateRunning,
		Conditions: []metav1.Condition{
			{Type: flamev1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: flamev1alpha1.ReasonReady},
			{Type: flamev1alpha1.ConditionProgressing, Status: metav1.ConditionFalse, Reason: flamev1alpha1.ReasonStable},
		},
	}
	cluster.Status.ExecutorManager.Desired, cluster.Status.ExecutorManager.Replicas = 2, 2
	cluster.Status.ExecutorManager.Ready, cluster.Status.ExecutorManager.Updated = 2, 2
	return cluster
}

func TestSettled(t *testing.T) {
	require.NoError(t, Settled(settled()))
	for name, test := range map[string]struct {
		change func(status *flamev1alpha1.FlameClusterStatus)
		want   string
	}{
		"nobody looked at it": {func(s *flamev1alpha1.FlameClusterStatus) { s.ObservedGeneration = 0 }, "no operator has looked at it"},
		"the status is of the spec before": {func(s *flamev1alpha1.FlameClusterStatus) { s.ObservedGeneration = 2 },
			"of generation 2, and the spec of 3"},
		"it waits": {func(s *flamev1alpha1.FlameClusterStatus) {
			s.State, s.Message = flamev1alpha1.StatePending, "no node has room"
		}, `"Pending": no node has room`},
		"it is not ready": {func(s *flamev1alpha1.FlameClusterStatus) {
			s.Conditions[0].Status, s.Conditions[0].Message = metav1.ConditionFalse, "1 of 2"
		}, "Ready is False and not True: Ready: 1 of 2"},
		"it is being updated":          {func(s *flamev1alpha1.FlameClusterStatus) { s.Conditions[1].Status = metav1.ConditionTrue }, "Progressing is True"},
		"a condition is missing":       {func(s *flamev1alpha1.FlameClusterStatus) { s.Conditions = s.Conditions[:1] }, "no condition Progressing"},
		"an executor manager is old":   {func(s *flamev1alpha1.FlameClusterStatus) { s.ExecutorManager.Updated = 1 }, "1 up to date"},
		"one executor manager is over": {func(s *flamev1alpha1.FlameClusterStatus) { s.ExecutorManager.Replicas = 3 }, "there are 3"},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := settled()
			test.change(&cluster.Status)
			assert.ErrorContains(t, Settled(cluster), test.want)
		})
	}
}

func TestRefusedAndSuspended(t *testing.T) {
	cluster := settled()
	require.ErrorContains(t, Refused(cluster), "no condition SpecValid")
	require.ErrorContains(t, Suspended(cluster), "no condition SessionManagerReady")
	invalid := metav1.Condition{
		Type: flamev1alpha1.ConditionSpecValid, Status: metav1.ConditionFalse, Reason: flamev1alpha1.ReasonInvalid, Message: "set flameVersion",
	}
	cluster.Status.Conditions = append(cluster.Status.Conditions, invalid)
	require.ErrorContains(t, Refused(cluster, "flameVersion"), "the state is")
	cluster.Status.State = flamev1alpha1.StateFailed
	require.ErrorContains(t, Refused(cluster, "flameVersion"), `does not say "flameVersion"`, "the message is what lists show")
	cluster.Status.Message = "set flameVersion"
	require.NoError(t, Refused(cluster, "flameVersion"))
	require.ErrorContains(t, Refused(cluster, "limits.cpu"), `does not say "limits.cpu"`)

	cluster.Status.Conditions = append(cluster.Status.Conditions, metav1.Condition{
		Type: flamev1alpha1.ConditionSessionManagerReady, Status: metav1.ConditionFalse, Reason: flamev1alpha1.ReasonSuspended,
	})
	require.ErrorContains(t, Suspended(cluster), "the state is")
	cluster.Status.State = flamev1alpha1.StateSuspended
	require.ErrorContains(t, Suspended(cluster), "2 executor managers")
	cluster.Status.ExecutorManager.Replicas = 0
	require.NoError(t, Suspended(cluster))
}

func TestWhatBecomesOfExecutorManagers(t *testing.T) {
	a, b, c := Pods{"a": "1"}, Pods{"a": "1", "b": "2"}, Pods{"c": "3", "d": "4"}
	for name, test := range map[string]struct {
		got  error
		want string
	}{
		"scaling up adds":                           {Scaled(a, b, 2), ""},
		"scaling down removes":                      {Scaled(b, a, 1), ""},
		"scaling to none removes all":               {Scaled(b, Pods{}, 0), ""},
		"scaling has to come to the number":         {Scaled(a, b, 3), "2 executor managers run where 3 are wanted"},
		"scaling up replaces nothing":               {Scaled(a, c, 2), "replaced executor managers"},
		"scaling down replaces nothing":             {Scaled(b, Pods{"c": "3"}, 1), "replaced executor managers"},
		"a pod of the same name is another one":     {Scaled(a, Pods{"a": "9", "b": "2"}, 2), "replaced executor managers"},
		"a lost one is replaced by a fresh name":    {Healed(b, Pods{"c": "3", "b": "2"}, "a"), ""},
		"a lost one has not been replaced":          {Healed(b, Pods{"b": "2"}, "a"), "1 executor managers run where 2 ran"},
		"a lost one comes back under its name":      {Healed(b, Pods{"a": "9", "b": "2"}, "a"), "came back under the name"},
		"the other one is replaced too":             {Healed(b, Pods{"c": "3", "d": "4"}, "a"), "b was replaced too"},
		"all are new":                               {Replaced(b, c), ""},
		"one is old":                                {Replaced(b, Pods{"a": "1", "d": "4"}), "a is still there"},
		"one has the name of an old one":            {Replaced(b, Pods{"a": "7", "d": "4"}), "a is still there"},
		"one is missing":                            {Replaced(b, Pods{"d": "4"}), "1 executor managers run where 2 ran"},
		"a task names the pod that it ran on":       {RanOn(`{"message":"Completed on <a> in <1>"}`, a), ""},
		"a task ran elsewhere":                      {RanOn(`{"message":"Completed on <aa> in <1>"}`, a), "should name one of [a]"},
		"a task that says nothing":                  {RanOn("", a), "should name one of [a]"},
		"what is left is what should be":            {Left([]string{"Pod a"}, []string{"Pod a"}), ""},
		"something is left over":                    {Left([]string{"Pod a", "Pod b"}, []string{"Pod a"}), `["Pod b"] should not be there`},
		"something went that should have stayed":    {Left(nil, []string{"PersistentVolumeClaim a"}), `["PersistentVolumeClaim a"] should be there`},
		"a kind that starts like another is not it": {Left(Without([]string{"Pod a", "PodDisruptionBudget a"}, "Pod"), []string{"PodDisruptionBudget a"}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if test.want == "" {
				assert.NoError(t, test.got)
			} else {
				assert.ErrorContains(t, test.got, test.want)
			}
		})
	}
}

func pod(name, component string, change func(*corev1.Pod)) corev1.Pod {
	result := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Labels: map[string]string{flamev1alpha1.LabelComponent: component}}}
	result.Status.Phase = corev1.PodRunning
	result.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	result.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: component, Ready: true}}
	result.Spec.Containers = []corev1.Container{{Name: component, Env: []corev1.EnvVar{{Name: "NEW"}}}}
	result.Annotations = map[string]string{"new": "yes"}
	if change != nil {
		change(&result)
	}
	return result
}

func TestWhatIsSeenOfPods(t *testing.T) {
	const component = flamev1alpha1.ComponentExecutorManager
	good := pod("a", component, nil)
	gone := pod("gone", component, func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} })
	failed := pod("failed", component, func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })
	other := pod("other", flamev1alpha1.ComponentSessionManager, nil)
	unready := pod("unready", component, func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse })
	restarted := pod("a", component, func(p *corev1.Pod) { p.Status.ContainerStatuses[0].RestartCount = 2 })
	plain := pod("a", component, func(p *corev1.Pod) { p.Annotations = nil })
	poor := pod("a", component, func(p *corev1.Pod) { p.Spec.Containers[0].Env = nil })
	before := Pods{"a": "a"}

	assert.Equal(t, before, Living([]corev1.Pod{good, gone, failed, other}, component))
	assert.NoError(t, Ready([]corev1.Pod{good, other}))
	assert.ErrorContains(t, Ready([]corev1.Pod{good, unready}), "unready is Running and not ready")
	assert.NoError(t, Untouched(before, []corev1.Pod{good, other}, component))
	assert.ErrorContains(t, Untouched(before, []corev1.Pod{good, unready}, component), "was replaced")
	assert.ErrorContains(t, Untouched(before, []corev1.Pod{restarted}, component), "started again 2 times")
	assert.NoError(t, Carry([]corev1.Pod{good, poor}[:1], before, "new", "NEW"))
	assert.ErrorContains(t, Carry([]corev1.Pod{plain}, before, "new", "NEW"), "podTemplate")
	assert.ErrorContains(t, Carry([]corev1.Pod{poor}, before, "new", "NEW"), "executorManager.env")
}

func TestDescriptionNamesWhatHelps(t *testing.T) {
	cluster := settled()
	cluster.Status.Message = "0 of 2 are ready"
	waiting := pod("c-executor-manager-x", flamev1alpha1.ComponentExecutorManager, func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "no room"}}
		p.Status.ContainerStatuses[0].State.Waiting = &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "not found"}
		p.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error"}
	})
	var events []corev1.Event
	for n := range mostEvents + 5 {
		events = append(events, corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{CreationTimestamp: metav1.Unix(int64(n), 0)},
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "c-session-manager"}, Reason: "Pulling", Message: fmt.Sprintf("<%d>", n),
		})
	}
	events = append(events, corev1.Event{InvolvedObject: corev1.ObjectReference{Name: "somebody-else"}, Message: "not ours"})
	text := Describe(cluster, []corev1.Pod{waiting}, events)
	for _, words := range []string{
		"0 of 2 are ready", "Progressing=False", "Unschedulable: no room", "ErrImagePull not found", "before: ended with 3", "<24>", "<5>",
	} {
		assert.Contains(t, text, words)
	}
	assert.NotContains(t, text, "<4>", "old events are left out")
	assert.NotContains(t, text, "not ours")
	text = Describe(&flamev1alpha1.FlameCluster{}, nil, nil)
	assert.Contains(t, text, "There are no pods.")
	assert.Contains(t, text, "There are no events.")
}

// What the API server refuses is tried with one, in live.
func TestOperatorRefusesInTheseWords(t *testing.T) {
	for _, refusal := range ByTheOperator() {
		t.Run(refusal.Why, func(t *testing.T) {
			cluster := clusters.Parse(t, clusters.Minimal)
			refusal.Change(cluster)
			_, err := desired.Build(cluster, desired.Inputs{})
			invalid, ok := errors.AsType[*desired.InvalidSpecError](err)
			require.True(t, ok, err)
			assert.NoError(t, Says(invalid.Error(), refusal.Words...))
		})
	}
}
