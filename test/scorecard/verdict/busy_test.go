// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

func TestTasks(t *testing.T) {
	once := Task{ID: "1", State: "SUCCEED", Succeeded: true, Executions: 1, Output: "Completed on <a> in <1>"}
	twice, never, failed := once, once, once
	twice.Executions, never.Executions = 2, 0
	failed.Succeeded, failed.State = false, "FAILED"
	a, b := Pods{"a": "1"}, Pods{"a": "1", "b": "2"}
	for name, test := range map[string]struct {
		got  error
		want string
	}{
		"each was executed once":                         {Once([]Task{once, once}, 2), ""},
		"one was given that nobody knows was taken":      {Once([]Task{once, once}, 1), ""},
		"one is lost":                                    {Once([]Task{once}, 2), "the session has 1 tasks, and 2 were given to it"},
		"one was executed twice":                         {Once([]Task{once, twice}, 2), "task 1 of 2 was executed 2 times"},
		"one succeeded, and nobody executed it":          {Once([]Task{never}, 1), "was executed 0 times"},
		"one failed":                                     {Once([]Task{once, failed}, 2), "task 1 of 2 ended FAILED"},
		"some ran there":                                 {TookPart([]Task{{Output: "none"}, once}, a), ""},
		"all ran elsewhere":                              {TookPart([]Task{once, once}, Pods{"b": "2"}), "none of 2 tasks ran on any of [b]"},
		"every one works":                                {AllWork(b, []string{"b", "a"}, 2), ""},
		"one holds nothing":                              {AllWork(b, []string{"a", "c"}, 2), "[b] have nothing to do"},
		"all hold executors, and one of them waits":      {AllWork(b, []string{"a", "b"}, 1), "1 tasks run on 2 executor managers"},
		"as many executor managers as may be":            {Bounded(b, 2), ""},
		"one executor manager more than may be":          {Bounded(b, 1), "2 executor managers run where maxReplicas is 1: [a b]"},
		"a pod that is about to end is still in the way": {Replaced(a, Existing([]corev1.Pod{terminating("a")}, flamev1alpha1.ComponentExecutorManager)), "a is still there"},
		"a pod of another component is not":              {Replaced(Pods{}, Existing([]corev1.Pod{terminating("a")}, flamev1alpha1.ComponentSessionManager)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if test.want == "" {
				assert.NoError(t, test.got)
			} else {
				assert.ErrorContains(t, test.got, test.want)
			}
		})
	}
	assert.Equal(t, Pods{"a": "1", "b": "2"}, b, "what is judged is not changed")
}

func terminating(name string) corev1.Pod {
	return pod(name, flamev1alpha1.ComponentExecutorManager, func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} })
}

// autoscaled is a cluster whose load needs as many executor managers as may be.
func autoscaled() *flamev1alpha1.FlameCluster {
	cluster := settled()
	cluster.Spec.ExecutorManager.Autoscaling = &flamev1alpha1.AutoscalingSpec{MaxReplicas: 2}
	cluster.Status.Conditions = append(cluster.Status.Conditions, metav1.Condition{
		Type: flamev1alpha1.ConditionScalingActive, Status: metav1.ConditionTrue, Reason: flamev1alpha1.ReasonFollowingLoad,
	})
	cluster.Status.ExecutorManager.Busy = 2
	cluster.Status.Autoscaling = &flamev1alpha1.AutoscalingStatus{DesiredReplicas: 2, NeededReplicas: 2, Reason: "AtMaximum", LastScaleTime: &metav1.Time{}}
	cluster.Status.Load = &flamev1alpha1.LoadStatus{SessionsOpen: 1, TasksPending: 5, TasksRunning: 2}
	return cluster
}

// resting is the same cluster without any load.
func resting() *flamev1alpha1.FlameCluster {
	cluster := autoscaled()
	cluster.Status.ExecutorManager = flamev1alpha1.ExecutorManagerStatus{}
	cluster.Status.Autoscaling = &flamev1alpha1.AutoscalingStatus{Reason: flamev1alpha1.ReasonFollowingLoad}
	cluster.Status.Load = &flamev1alpha1.LoadStatus{}
	return cluster
}

func TestAutoscaling(t *testing.T) {
	require.NoError(t, Grown(autoscaled()))
	require.NoError(t, AtRest(resting()))
	for name, test := range map[string]struct {
		change func(status *flamev1alpha1.FlameClusterStatus)
		want   string
	}{
		"it says that it does not follow":        {func(s *flamev1alpha1.FlameClusterStatus) { s.Conditions[2].Status = metav1.ConditionFalse }, "ScalingActive is False"},
		"the condition is missing":               {func(s *flamev1alpha1.FlameClusterStatus) { s.Conditions = s.Conditions[:2] }, "no condition ScalingActive"},
		"it does not say what it decided":        {func(s *flamev1alpha1.FlameClusterStatus) { s.Autoscaling = nil }, "no status.autoscaling"},
		"one is needed, where more are":          {func(s *flamev1alpha1.FlameClusterStatus) { s.Autoscaling.NeededReplicas = 1 }, "2 executor managers are wanted and 1 needed"},
		"one is wanted, where more are needed":   {func(s *flamev1alpha1.FlameClusterStatus) { s.Autoscaling.DesiredReplicas = 1 }, "1 executor managers are wanted and 2 needed"},
		"more are wanted than may be":            {func(s *flamev1alpha1.FlameClusterStatus) { s.Autoscaling.DesiredReplicas = 3 }, "3 executor managers are wanted"},
		"it does not say when":                   {func(s *flamev1alpha1.FlameClusterStatus) { s.Autoscaling.LastScaleTime = nil }, "lastScaleTime"},
		"what is decided is not what is wanted":  {func(s *flamev1alpha1.FlameClusterStatus) { s.ExecutorManager.Desired = 1 }, "of 1 wanted"},
		"one is not ready":                       {func(s *flamev1alpha1.FlameClusterStatus) { s.ExecutorManager.Ready = 1 }, "1 are ready"},
		"one is over":                            {func(s *flamev1alpha1.FlameClusterStatus) { s.ExecutorManager.Replicas = 3 }, "there are 3"},
		"one does nothing":                       {func(s *flamev1alpha1.FlameClusterStatus) { s.ExecutorManager.Busy = 1 }, "1 busy"},
		"it does not say what there is to do":    {func(s *flamev1alpha1.FlameClusterStatus) { s.Load = nil }, "status.load"},
		"it says that nothing runs":              {func(s *flamev1alpha1.FlameClusterStatus) { s.Load.TasksRunning = 0 }, "status.load"},
		"it does not speak of the newest spec":   {func(s *flamev1alpha1.FlameClusterStatus) { s.ObservedGeneration = 2 }, "of generation 2"},
		"it does not know of the session at all": {func(s *flamev1alpha1.FlameClusterStatus) { s.Load.SessionsOpen = 0 }, "status.load"},
	} {
		t.Run("under load: "+name, func(t *testing.T) {
			cluster := autoscaled()
			test.change(&cluster.Status)
			assert.ErrorContains(t, Grown(cluster), test.want)
		})
	}
	for name, test := range map[string]struct {
		change func(status *flamev1alpha1.FlameClusterStatus)
		want   string
	}{
		"it is not settled":             {func(s *flamev1alpha1.FlameClusterStatus) { s.ExecutorManager.Replicas = 1 }, "there are 1"},
		"the delay is not over":         {func(s *flamev1alpha1.FlameClusterStatus) { s.Conditions[2].Reason = flamev1alpha1.ReasonScaleDownDelay }, "ScaleDownDelay"},
		"one stays, and is ready":       {func(s *flamev1alpha1.FlameClusterStatus) { *s = autoscaled().Status }, "of 2 wanted and 2 needed executor managers there are 2"},
		"one is said to be needed":      {func(s *flamev1alpha1.FlameClusterStatus) { s.Autoscaling.NeededReplicas = 1 }, "0 wanted and 1 needed"},
		"a task is said to wait":        {func(s *flamev1alpha1.FlameClusterStatus) { s.Load.TasksPending = 1 }, "status.load"},
		"a task is said to run":         {func(s *flamev1alpha1.FlameClusterStatus) { s.Load.TasksRunning = 1 }, "status.load"},
		"it has not asked Flame at all": {func(s *flamev1alpha1.FlameClusterStatus) { s.Load = nil }, "status.load"},
	} {
		t.Run("at rest: "+name, func(t *testing.T) {
			cluster := resting()
			test.change(&cluster.Status)
			assert.ErrorContains(t, AtRest(cluster), test.want)
		})
	}
}
