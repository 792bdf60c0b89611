// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// Pods are pods that live, by name.
type Pods map[string]types.UID

// Living returns those of a component's pods that have neither ended nor been
// told to.
func Living(pods []corev1.Pod, component string) Pods {
	living := Pods{}
	for i := range pods {
		pod := &pods[i]
		ended := pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
		if !ended && pod.Labels[flamev1alpha1.LabelComponent] == component {
			living[pod.Name] = pod.UID
		}
	}
	return living
}

// Existing returns all pods of a component that there are, those that are about to
// end too.
func Existing(pods []corev1.Pod, component string) Pods {
	existing := Pods{}
	for i := range pods {
		if pods[i].Labels[flamev1alpha1.LabelComponent] == component {
			existing[pods[i].Name] = pods[i].UID
		}
	}
	return existing
}

// Names returns the names in order.
func (p Pods) Names() []string { return slices.Sorted(maps.Keys(p)) }

// Scaled returns nil if after differs from before by nothing but what was added,
// or nothing but what was removed, and is as many as wanted.
func Scaled(before, after Pods, wanted int32) error {
	if len(after) != int(wanted) {
		return fmt.Errorf("%d executor managers run where %d are wanted: %v", len(after), wanted, after.Names())
	}
	fewer, more := before, after
	if len(after) < len(before) {
		fewer, more = after, before
	}
	for name, uid := range fewer {
		if more[name] != uid {
			return fmt.Errorf("scaling replaced executor managers that it should have left alone: there were %v, and there are %v", before.Names(), after.Names())
		}
	}
	return nil
}

// Healed returns nil if in the place of one lost pod there is one of another
// name, and all the others are the same as before. Flame takes an executor
// manager that comes back under its old name for the one it lost.
func Healed(before, after Pods, lost string) error {
	if _, found := after[lost]; found {
		return fmt.Errorf("the executor manager came back under the name of the one that was lost, %s, which Flame does not survive", lost)
	}
	if len(after) != len(before) {
		return fmt.Errorf("%d executor managers run where %d ran before one was lost: %v", len(after), len(before), after.Names())
	}
	for name, uid := range before {
		if name != lost && after[name] != uid {
			return fmt.Errorf("%s was replaced too, and was not lost", name)
		}
	}
	return nil
}

// Replaced returns nil if there are as many as before and every one is new.
func Replaced(before, after Pods) error {
	if len(after) != len(before) {
		return fmt.Errorf("%d executor managers run where %d ran before: %v", len(after), len(before), after.Names())
	}
	for name := range before {
		if _, found := after[name]; found {
			return fmt.Errorf("%s is still there: it is of the old spec, or has the name of one that is", name)
		}
	}
	return nil
}

// Untouched returns nil if a component's pods are those that there were, and none
// of their containers was started again.
func Untouched(before Pods, pods []corev1.Pod, component string) error {
	if after := Living(pods, component); !maps.Equal(before, after) {
		return fmt.Errorf("the %s was replaced and should not be concerned: there was %v, and there is %v", component, before.Names(), after.Names())
	}
	for i := range pods {
		if pods[i].Labels[flamev1alpha1.LabelComponent] != component {
			continue
		}
		for _, container := range pods[i].Status.ContainerStatuses {
			if container.RestartCount > 0 {
				return fmt.Errorf("container %s of the %s was started again %d times and should not be concerned", container.Name, component, container.RestartCount)
			}
		}
	}
	return nil
}

// Ready returns nil if every pod is ready.
func Ready(pods []corev1.Pod) error {
	for i := range pods {
		if !slices.ContainsFunc(pods[i].Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		}) {
			return fmt.Errorf("%s is %s and not ready", pods[i].Name, pods[i].Status.Phase)
		}
	}
	return nil
}

// Carry returns nil if each of the executor managers carries an annotation, and
// its container an environment variable.
func Carry(pods []corev1.Pod, executors Pods, annotation, variable string) error {
	for i := range pods {
		pod := &pods[i]
		if _, ours := executors[pod.Name]; !ours {
			continue
		}
		if _, found := pod.Annotations[annotation]; !found {
			return fmt.Errorf("%s lacks the annotation %s of executorManager.podTemplate", pod.Name, annotation)
		}
		for _, container := range pod.Spec.Containers {
			if container.Name == flamev1alpha1.ComponentExecutorManager && !slices.ContainsFunc(container.Env, func(e corev1.EnvVar) bool { return e.Name == variable }) {
				return fmt.Errorf("%s lacks the variable %s of executorManager.env", pod.Name, variable)
			}
		}
	}
	return nil
}
