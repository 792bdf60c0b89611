// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package podstate

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/words"
)

// Health is the state of a pod for users: a reason as conditions carry it, and the rest
// of a sentence that begins with the pod. The sentence holds no name of a pod, and
// nothing that changes while the pod does not.
type Health struct{ Reason, Message string }

// Ready reports whether a pod is ready.
func (h Health) Ready() bool { return h.Reason == flamev1alpha1.ReasonReady }

// Failed reports whether a pod will not become ready by waiting.
func (h Health) Failed() bool {
	switch h.Reason {
	case flamev1alpha1.ReasonImagePull, flamev1alpha1.ReasonCrashing, flamev1alpha1.ReasonConfigError:
		return true
	}
	return false
}

// Severity orders reasons by how important they are to a user.
func (h Health) Severity() int {
	switch {
	case h.Failed():
		return 3
	case h.Reason == flamev1alpha1.ReasonPending:
		return 2
	case h.Reason == flamev1alpha1.ReasonStarting:
		return 1
	}
	return 0
}

func healthOf(pod *corev1.Pod, p Pod, component corev1.ContainerStatus) Health {
	switch {
	case p.Finished():
		return finishedHealth(pod, component)
	case p.Terminating:
		return Health{flamev1alpha1.ReasonStarting, "is being removed"}
	case p.Ready:
		return Health{flamev1alpha1.ReasonReady, "is ready"}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return Health{flamev1alpha1.ReasonPending, "waits for a node: " + withoutName(c.Message, pod)}
		}
	}
	for _, container := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if h, ok := waitingHealth(container, pod); ok {
			return h
		}
	}
	return startingHealth(pod)
}

// finishedHealth returns the health of a pod that ended. Flame ends with exit code 0 on
// errors too, so every end is a failure.
//
// Flame workaround: exit-code-zero
func finishedHealth(pod *corev1.Pod, component corev1.ContainerStatus) Health {
	if pod.Status.Reason != "" {
		return Health{flamev1alpha1.ReasonCrashing, fmt.Sprintf("failed: %s: %s", pod.Status.Reason, withoutName(pod.Status.Message, pod))}
	}
	ended := component.State.Terminated
	for _, container := range pod.Status.ContainerStatuses {
		ended = cmp.Or(ended, container.State.Terminated)
	}
	if ended == nil {
		return Health{flamev1alpha1.ReasonCrashing, "failed"}
	}
	return Health{flamev1alpha1.ReasonCrashing, "failed: " + exit(ended, pod)}
}

// waitingHealth returns the health of a pod whose container cannot run, and reports
// whether that is so.
func waitingHealth(container corev1.ContainerStatus, pod *corev1.Pod) (Health, bool) {
	waiting := container.State.Waiting
	if waiting == nil {
		return Health{}, false
	}
	switch waiting.Reason {
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError", "SignatureValidationFailed":
		return Health{flamev1alpha1.ReasonImagePull, imageHealth(container.Image, *waiting)}, true
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CreatePodSandboxError":
		return Health{flamev1alpha1.ReasonConfigError, "cannot start a container: " + withoutName(waiting.Message, pod)}, true
	case "CrashLoopBackOff":
		message := fmt.Sprintf("crashes: restarted %d times", container.RestartCount)
		if ended := container.LastTerminationState.Terminated; ended != nil {
			message += ", last " + exit(ended, pod)
		}
		return Health{flamev1alpha1.ReasonCrashing, message}, true
	}
	return Health{}, false
}

// startingHealth tells a first start from one after a crash, and the operator's init
// container from those that others add.
func startingHealth(pod *corev1.Pod) Health {
	for _, container := range pod.Status.ContainerStatuses {
		if ended := container.LastTerminationState.Terminated; ended != nil {
			return Health{flamev1alpha1.ReasonStarting, "is starting again after it " + exit(ended, pod)}
		}
	}
	for _, container := range pod.Status.InitContainerStatuses {
		if container.Name == naming.WaitContainer && container.State.Running != nil {
			return Health{flamev1alpha1.ReasonStarting, "waits for the session manager"}
		}
	}
	return Health{flamev1alpha1.ReasonStarting, "is starting"}
}

// exit says how a container ended, with its last words.
func exit(ended *corev1.ContainerStateTerminated, pod *corev1.Pod) string {
	text := fmt.Sprintf("ended with exit code %d", ended.ExitCode)
	switch {
	case ended.ExitCode == 0:
		text += ", which is how Flame ends on some errors; see its log"
	case ended.Reason != "" && ended.Reason != "Error":
		text += " (" + ended.Reason + ")"
	}
	if last := LastLine(ended.Message); last != "" {
		text += ": " + words.Cut(withoutName(last, pod), longestLine)
	}
	return text
}

// longestLine is how much of a container's last words is told, in bytes.
const longestLine = 300

var (
	colours = regexp.MustCompile(`\x1b\[[0-9;]*m`)
	trouble = regexp.MustCompile(`(?i)error|panic|fatal|fail`)
)

// LastLine returns the last line of a log that tells of trouble, or else the last one,
// without its colours and as far as it is told. What a program says to the end is not
// always in order.
func LastLine(log string) string {
	lines := strings.Split(strings.TrimSpace(colours.ReplaceAllString(log, "")), "\n")
	told := lines[len(lines)-1]
	for _, line := range slices.Backward(lines) {
		if trouble.MatchString(line) {
			told = line
			break
		}
	}
	return words.Cut(strings.TrimSpace(told), longestMessage)
}

// longestMessage is how much of a message of Kubernetes about a pod is kept, in bytes.
const longestMessage = 700

// withoutName removes a pod's name and UID from a message of Kubernetes, and cuts the
// message.
func withoutName(message string, pod *corev1.Pod) string { return without(message, pod.UID, pod.Name) }

func without(message string, uid types.UID, podName string) string {
	for _, name := range []string{string(uid), podName} {
		if name != "" {
			message = strings.ReplaceAll(message, name, "…")
		}
	}
	return words.Cut(message, longestMessage)
}
