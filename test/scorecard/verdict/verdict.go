// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package verdict says from what was seen whether the operator did what it should, in a
// user's words. The package looks at values only.
package verdict

import (
	"fmt"
	"slices"
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// Observed returns nil if the status speaks of the newest spec.
func Observed(cluster *flamev1alpha1.FlameCluster) error {
	switch seen := cluster.Status.ObservedGeneration; {
	case seen == 0:
		return fmt.Errorf("the FlameCluster has no status: no operator has looked at it")
	case seen != cluster.Generation:
		return fmt.Errorf("the status is of generation %d, and the spec of %d: the operator has not looked at the last change", seen, cluster.Generation)
	}
	return nil
}

// Settled returns nil if the cluster is what its spec asks for.
func Settled(cluster *flamev1alpha1.FlameCluster) error {
	if err := Observed(cluster); err != nil {
		return err
	}
	status := &cluster.Status
	if status.State != flamev1alpha1.StateRunning {
		return fmt.Errorf("the state is %q: %s", status.State, status.Message)
	}
	if err := Condition(cluster, flamev1alpha1.ConditionReady, metav1.ConditionTrue, ""); err != nil {
		return err
	}
	// What was deleted may go on with its tasks.
	if Condition(cluster, flamev1alpha1.ConditionProgressing, metav1.ConditionTrue, flamev1alpha1.ReasonDraining) != nil {
		if err := Condition(cluster, flamev1alpha1.ConditionProgressing, metav1.ConditionFalse, ""); err != nil {
			return err
		}
	}
	if n := status.ExecutorManager; n.Ready != n.Desired || n.Replicas != n.Desired || n.Updated != n.Desired {
		return fmt.Errorf("of %d wanted executor managers there are %d, of which %d are ready and %d up to date", n.Desired, n.Replicas, n.Ready, n.Updated)
	}
	return nil
}

// Condition returns nil if the status of the newest spec has a condition with a
// status, a reason unless that is empty, and all of some words in its message.
func Condition(cluster *flamev1alpha1.FlameCluster, kind string, wanted metav1.ConditionStatus, reason string, words ...string) error {
	if err := Observed(cluster); err != nil {
		return err
	}
	condition := apimeta.FindStatusCondition(cluster.Status.Conditions, kind)
	switch {
	case condition == nil:
		return fmt.Errorf("there is no condition %s", kind)
	case condition.Status != wanted, reason != "" && condition.Reason != reason:
		return fmt.Errorf("%s is %s and not %s: %s: %s", kind, condition.Status, wanted, condition.Reason, condition.Message)
	}
	return Says(condition.Message, words...)
}

// Says returns nil if all the words are in a text.
func Says(text string, words ...string) error {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return fmt.Errorf("%q does not say %q", text, word)
		}
	}
	return nil
}

// Suspended returns nil if the cluster says that spec.suspend keeps it from running.
func Suspended(cluster *flamev1alpha1.FlameCluster) error {
	if err := Condition(cluster, flamev1alpha1.ConditionSessionManagerReady, metav1.ConditionFalse, flamev1alpha1.ReasonSuspended); err != nil {
		return err
	}
	if cluster.Status.State != flamev1alpha1.StateSuspended || cluster.Status.ExecutorManager.Replicas != 0 {
		return fmt.Errorf("the state is %q with %d executor managers", cluster.Status.State, cluster.Status.ExecutorManager.Replicas)
	}
	return nil
}

// Refused returns nil if the cluster says that its spec cannot run, in some words,
// both in the condition and in the one line that lists show.
func Refused(cluster *flamev1alpha1.FlameCluster, words ...string) error {
	if err := Condition(cluster, flamev1alpha1.ConditionSpecValid, metav1.ConditionFalse, flamev1alpha1.ReasonInvalid, words...); err != nil {
		return err
	}
	if cluster.Status.State != flamev1alpha1.StateFailed {
		return fmt.Errorf("the state is %q: %s", cluster.Status.State, cluster.Status.Message)
	}
	return Says(cluster.Status.Message, words...)
}

// RanOn returns nil if a task's output names one of the pods: Flame knows an
// executor manager by its pod's name.
func RanOn(output string, executors Pods) error {
	for name := range executors {
		if strings.Contains(output, "Completed on <"+name+">") {
			return nil
		}
	}
	return fmt.Errorf("the task's output is %q, where it should name one of %v", output, executors.Names())
}

// Left returns nil if what is left of a cluster is what was wanted, each as its
// kind and name.
func Left(left, wanted []string) error {
	var over, missing []string
	for _, object := range left {
		if !slices.Contains(wanted, object) {
			over = append(over, object)
		}
	}
	for _, object := range wanted {
		if !slices.Contains(left, object) {
			missing = append(missing, object)
		}
	}
	switch {
	case len(over) > 0:
		return fmt.Errorf("%q should not be there", over)
	case len(missing) > 0:
		return fmt.Errorf("%q should be there", missing)
	}
	return nil
}

// Without returns the objects that are not of a kind.
func Without(objects []string, kind string) []string {
	return slices.DeleteFunc(slices.Clone(objects), func(object string) bool { return strings.HasPrefix(object, kind+" ") })
}
