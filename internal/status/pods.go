// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// health is how a pod is, in the reasons that conditions carry.
type health struct {
	reason, message string
}

func (h health) ready() bool { return h.reason == flamev1alpha1.ReasonReady }

// failed reports whether a pod will not become ready by waiting.
func (h health) failed() bool {
	switch h.reason {
	case flamev1alpha1.ReasonImagePull, flamev1alpha1.ReasonCrashing, flamev1alpha1.ReasonConfigError:
		return true
	}
	return false
}

// severity orders reasons by how much a user has to know of them.
func (h health) severity() int {
	switch {
	case h.failed():
		return 3
	case h.reason == flamev1alpha1.ReasonPending:
		return 2
	case h.reason == flamev1alpha1.ReasonStarting:
		return 1
	}
	return 0
}

// podHealth says how a pod is.
func podHealth(pod *corev1.Pod) health {
	if Ended(pod) {
		return finishedHealth(pod)
	}
	if pod.DeletionTimestamp != nil {
		return health{flamev1alpha1.ReasonStarting, "is being removed"}
	}
	if condition(pod, corev1.PodReady) == corev1.ConditionTrue {
		return health{flamev1alpha1.ReasonReady, "is ready"}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return health{flamev1alpha1.ReasonPending, "waits for a node: " + withoutName(c.Message, pod)}
		}
	}
	for _, container := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		if h, ok := waitingHealth(container, pod); ok {
			return h
		}
	}
	return startingHealth(pod)
}

// finishedHealth is that of a pod that ended. Flame ends with exit code 0 on
// errors too, so every end is a failure.
//
// Flame workaround: exit-code-zero
func finishedHealth(pod *corev1.Pod) health {
	if pod.Status.Reason != "" {
		return health{flamev1alpha1.ReasonCrashing, fmt.Sprintf("failed: %s: %s", pod.Status.Reason, withoutName(pod.Status.Message, pod))}
	}
	ended := executorManagerEnd(pod)
	for _, container := range pod.Status.ContainerStatuses {
		ended = cmp.Or(ended, container.State.Terminated)
	}
	if ended == nil {
		return health{flamev1alpha1.ReasonCrashing, "failed"}
	}
	return health{flamev1alpha1.ReasonCrashing, "failed: " + exit(ended)}
}

// waitingHealth is that of a pod one of whose containers cannot run.
func waitingHealth(container corev1.ContainerStatus, pod *corev1.Pod) (health, bool) {
	waiting := container.State.Waiting
	if waiting == nil {
		return health{}, false
	}
	switch waiting.Reason {
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError":
		// The kubelet swaps between two reasons and their messages, which would have
		// the status written each time.
		return health{flamev1alpha1.ReasonImagePull, fmt.Sprintf("cannot pull the image %q", container.Image)}, true
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CreatePodSandboxError":
		return health{flamev1alpha1.ReasonConfigError, "cannot start a container: " + withoutName(waiting.Message, pod)}, true
	case "CrashLoopBackOff":
		message := fmt.Sprintf("crashes: restarted %d times", container.RestartCount)
		if ended := container.LastTerminationState.Terminated; ended != nil {
			message += ", last " + exit(ended)
		}
		return health{flamev1alpha1.ReasonCrashing, message}, true
	}
	return health{}, false
}

// startingHealth tells a first start from one after a crash.
func startingHealth(pod *corev1.Pod) health {
	for _, container := range pod.Status.ContainerStatuses {
		if ended := container.LastTerminationState.Terminated; ended != nil {
			return health{flamev1alpha1.ReasonStarting, "is starting again after it " + exit(ended)}
		}
	}
	for _, container := range pod.Status.InitContainerStatuses {
		if container.State.Running != nil {
			return health{flamev1alpha1.ReasonStarting, "waits for the session manager"}
		}
	}
	return health{flamev1alpha1.ReasonStarting, "is starting"}
}

func exit(ended *corev1.ContainerStateTerminated) string {
	text := fmt.Sprintf("ended with exit code %d", ended.ExitCode)
	switch {
	case ended.ExitCode == 0:
		text += ", which is how Flame ends on some errors; see its log"
	case ended.Reason != "" && ended.Reason != "Error":
		text += " (" + ended.Reason + ")"
	}
	return text
}

// Finished reports whether a pod has ended for good, whatever its exit code.
func Finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

// Ended reports whether a pod does nothing any more: it has finished, or is that of an
// executor manager whose container has. Its pod goes on for as long as a sidecar does.
// Containers of the other components are started again in their pods.
func Ended(pod *corev1.Pod) bool { return Finished(pod) || executorManagerEnd(pod) != nil }

// executorManagerEnd is how the container of an executor manager ended, by its kubelet's
// word; nil if it has not, or there is none.
func executorManagerEnd(pod *corev1.Pod) *corev1.ContainerStateTerminated {
	for _, container := range pod.Status.ContainerStatuses {
		if container.Name == flamev1alpha1.ComponentExecutorManager {
			return container.State.Terminated
		}
	}
	return nil
}

func condition(pod *corev1.Pod, kind corev1.PodConditionType) corev1.ConditionStatus {
	for _, c := range pod.Status.Conditions {
		if c.Type == kind {
			return c.Status
		}
	}
	return corev1.ConditionUnknown
}

// withoutName takes a pod's name and UID out of a message of Kubernetes.
func withoutName(message string, pod *corev1.Pod) string {
	message = strings.ReplaceAll(message, string(pod.UID), "…")
	message = strings.ReplaceAll(message, pod.Name, "…")
	return cut(message)
}

// cut shortens what others say to what a condition and an event have room for.
func cut(message string) string {
	const longest = 700
	if runes := []rune(message); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return message
}
