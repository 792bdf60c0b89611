// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// mostEvents is how many events are told of, the last ones.
const mostEvents = 20

// Describe tells how a cluster is, for whoever has to find out why.
func Describe(cluster *flamev1alpha1.FlameCluster, pods []corev1.Pod, events []corev1.Event) string {
	var out strings.Builder
	status := &cluster.Status
	fmt.Fprintf(&out, "FlameCluster %s: state %q: %s\n", cluster.Name, status.State, status.Message)
	fmt.Fprintf(&out, "  generation %d, observed %d; executor managers: %d wanted, %d there, %d ready, %d up to date\n", cluster.Generation,
		status.ObservedGeneration, status.ExecutorManager.Desired, status.ExecutorManager.Replicas, status.ExecutorManager.Ready, status.ExecutorManager.Updated)
	for _, c := range status.Conditions {
		fmt.Fprintf(&out, "  %s=%s %s: %s\n", c.Type, c.Status, c.Reason, c.Message)
	}
	if len(pods) == 0 {
		fmt.Fprintln(&out, "There are no pods.")
	}
	for i := range pods {
		describePod(&out, &pods[i])
	}
	describeEvents(&out, cluster, events)
	return out.String()
}

func describePod(out *strings.Builder, pod *corev1.Pod) {
	fmt.Fprintf(out, "Pod %s: %s %s\n", pod.Name, pod.Status.Phase, pod.Status.Message)
	for _, condition := range pod.Status.Conditions {
		if condition.Status != corev1.ConditionTrue {
			fmt.Fprintf(out, "  %s=%s %s: %s\n", condition.Type, condition.Status, condition.Reason, condition.Message)
		}
	}
	for _, container := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		fmt.Fprintf(out, "  container %s: %s, ready %t, started again %d times\n", container.Name, stateOf(container.State), container.Ready, container.RestartCount)
		if last := container.LastTerminationState.Terminated; last != nil {
			fmt.Fprintf(out, "    before: %s\n", stateOf(container.LastTerminationState))
		}
	}
}

func stateOf(state corev1.ContainerState) string {
	switch {
	case state.Waiting != nil:
		return fmt.Sprintf("waits: %s %s", state.Waiting.Reason, state.Waiting.Message)
	case state.Terminated != nil:
		return fmt.Sprintf("ended with %d: %s %s", state.Terminated.ExitCode, state.Terminated.Reason, state.Terminated.Message)
	case state.Running != nil:
		return "runs"
	}
	return "has not started"
}

// describeEvents tells what happened to the cluster and to what has its name in its own.
func describeEvents(out *strings.Builder, cluster *flamev1alpha1.FlameCluster, events []corev1.Event) {
	var own []corev1.Event
	for i := range events {
		if strings.Contains(events[i].InvolvedObject.Name, cluster.Name) {
			own = append(own, events[i])
		}
	}
	slices.SortStableFunc(own, func(a, b corev1.Event) int {
		return cmp.Compare(a.CreationTimestamp.UnixNano(), b.CreationTimestamp.UnixNano())
	})
	if len(own) == 0 {
		fmt.Fprintln(out, "There are no events.")
	}
	for _, event := range own[max(0, len(own)-mostEvents):] {
		fmt.Fprintf(out, "Event %s %s/%s %s: %s\n", event.Type, event.InvolvedObject.Kind, event.InvolvedObject.Name, event.Reason, event.Message)
	}
}
