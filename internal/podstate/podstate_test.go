// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package podstate

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func at(seconds int) metav1.Time {
	return metav1.NewTime(noon.Add(time.Duration(seconds) * time.Second))
}

func running(name string) corev1.ContainerStatus {
	return corev1.ContainerStatus{
		Name: name, Started: ptr.To(true),
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at(1)}},
	}
}

func terminated(name string) corev1.ContainerStatus {
	return corev1.ContainerStatus{
		Name:  name,
		State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, StartedAt: at(1), FinishedAt: at(9)}},
	}
}

func TestAPodEndsByItsKubeletsWordAndIsOverByItsPhase(t *testing.T) {
	const executorManager, sessionManager = flamev1alpha1.ComponentExecutorManager, flamev1alpha1.ComponentSessionManager
	for name, test := range map[string]struct {
		component   string
		phase       corev1.PodPhase
		containers  []corev1.ContainerStatus
		ended, over bool
	}{
		"one that runs": {
			component: executorManager, phase: corev1.PodRunning, containers: []corev1.ContainerStatus{running(executorManager)},
		},
		"one whose sidecar runs on has ended": {
			component: executorManager, phase: corev1.PodRunning,
			containers: []corev1.ContainerStatus{running("a-sidecar"), terminated(executorManager)}, ended: true,
		},
		"one whose sidecar alone has ended has not": {
			component: executorManager, phase: corev1.PodRunning,
			containers: []corev1.ContainerStatus{terminated("a-sidecar"), running(executorManager)},
		},
		"one that its kubelet calls failed has both": {
			component: executorManager, phase: corev1.PodFailed, containers: []corev1.ContainerStatus{terminated(executorManager)}, ended: true, over: true,
		},
		"one that its kubelet refused never ran": {
			component: executorManager, phase: corev1.PodFailed, ended: true, over: true,
		},
		"one that garbage collection calls failed may run where its kubelet is not heard": {
			component: executorManager, phase: corev1.PodFailed, containers: []corev1.ContainerStatus{running(executorManager)}, over: true,
		},
		"a session manager's container is started again in its pod": {
			component: sessionManager, phase: corev1.PodRunning, containers: []corev1.ContainerStatus{terminated(sessionManager)},
		},
		"a session manager that was evicted is over": {
			component: sessionManager, phase: corev1.PodFailed, containers: []corev1.ContainerStatus{terminated(sessionManager)}, over: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := Of(&corev1.Pod{Status: corev1.PodStatus{Phase: test.phase, ContainerStatuses: test.containers}}, test.component)
			assert.Equal(t, test.ended, pod.Ended, "ended")
			assert.Equal(t, test.over, pod.Over, "over")
			assert.Equal(t, test.ended || test.over, pod.Finished(), "finished")
		})
	}
}

func TestOfReadsWhatAPodSays(t *testing.T) {
	component := running(flamev1alpha1.ComponentExecutorManager)
	component.RestartCount = 1
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "c-executor-manager-abcde", UID: "uid", CreationTimestamp: at(0),
			DeletionTimestamp: ptr.To(at(100)), DeletionGracePeriodSeconds: ptr.To(int64(60)),
			Labels: map[string]string{flamev1alpha1.LabelServing: "true"},
			Annotations: map[string]string{
				flamev1alpha1.AnnotationTemplateHash: "new", flamev1alpha1.AnnotationFailures: "2",
				flamev1alpha1.AnnotationWithdrawnAt: at(5).Format(time.RFC3339), flamev1alpha1.AnnotationFollowsWithdrawn: "true",
			},
		},
		Spec: corev1.PodSpec{NodeName: "node"},
		Status: corev1.PodStatus{
			Conditions: []corev1.PodCondition{
				{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: at(4)},
				{Type: corev1.ContainersReady, Status: corev1.ConditionFalse, LastTransitionTime: at(3)},
				{Type: flamev1alpha1.GateNodeReady, Status: corev1.ConditionTrue, LastTransitionTime: at(2)},
			},
			ContainerStatuses: []corev1.ContainerStatus{component},
		},
	}
	assert.Equal(t, Pod{
		Name: "c-executor-manager-abcde", UID: "uid", Hash: "new", Failures: 2,
		InService: true, WithdrawnAt: at(5).Time, FollowsWithdrawn: true,
		CreatedAt: at(0).Time, Terminating: true, DeletedAt: at(40).Time, DrainsUntil: at(100).Time, GraceGiven: true,
		Scheduled: true, StartedAt: at(1).Time, Restarted: true, Connected: true,
		LinkSince: at(3).Time, Gate: true, GateSince: at(2).Time, Ready: true, ReadySince: at(4).Time,
		Health: Health{Reason: flamev1alpha1.ReasonStarting, Message: "is being removed"},
	}, Of(pod, flamev1alpha1.ComponentExecutorManager))
	assert.Equal(t, Pod{Health: Health{Reason: flamev1alpha1.ReasonStarting, Message: "is starting"}}, Of(&corev1.Pod{}, "object-cache"), "nothing is known")
}

func TestOursIsToldFromTheInitContainersOfOthers(t *testing.T) {
	for name, want := range map[string]string{
		"wait-for-session-manager": "waits for the session manager",
		"a-proxy":                  "is starting",
	} {
		pod := &corev1.Pod{Status: corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{running(name)}}}
		assert.Equal(t, want, Of(pod, flamev1alpha1.ComponentExecutorManager).Health.Message, name)
	}
}

func TestAContainerThatEndsSaysItsLastWords(t *testing.T) {
	const component = flamev1alpha1.ComponentSessionManager
	for log, want := range map[string]string{
		"": "failed: ended with exit code 1",
		"first\n\x1b[31mError:\x1b[0m no such file in c-session-manager\n\n": "failed: ended with exit code 1: Error: no such file in …",
		"ERROR: no such file\nINFO: starts":                                  "failed: ended with exit code 1: ERROR: no such file",
		"one\ntwo":                                                           "failed: ended with exit code 1: two",
		strings.Repeat("x", 2048):                                            "failed: ended with exit code 1: " + strings.Repeat("x", 297) + "…",
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "c-session-manager"}, Status: corev1.PodStatus{
			Phase: corev1.PodFailed,
			ContainerStatuses: []corev1.ContainerStatus{{Name: component, State: corev1.ContainerState{
				Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: log},
			}}},
		}}
		assert.Equal(t, want, Of(pod, component).Health.Message)
	}
}

func TestAnImageThatCannotBePulledHasOneStableCause(t *testing.T) {
	const image = "registry.example.com/denied/not-found:v1"
	for name, test := range map[string]struct{ reason, message, want string }{
		"not found": {
			"ErrImagePull", `failed to pull and unpack image "registry.example.com/denied/not-found:v1": failed to resolve reference "registry.example.com/denied/not-found:v1": registry.example.com/denied/not-found:v1: not found`,
			": the registry does not have it",
		},
		"not found, between two tries": {
			"ImagePullBackOff", `Back-off pulling image "registry.example.com/denied/not-found:v1": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image "x": not found`,
			": the registry does not have it",
		},
		"not authorised": {
			"ErrImagePull", `failed to authorize: failed to fetch oauth token: unexpected status from GET request to https://auth.example.com/token: 401 Unauthorized`,
			": the registry denies it: it does not exist, or imagePullSecrets lack the credentials",
		},
		"a repository that may be private": {
			"ErrImagePull", `pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed`,
			": the registry denies it: it does not exist, or imagePullSecrets lack the credentials",
		},
		"unreachable": {
			"ErrImagePull", `failed to do request: Head "https://registry.example.com/v2/denied/not-found/manifests/v1": dial tcp: lookup registry.example.com: no such host`,
			": the registry cannot be reached",
		},
		"a gateway":             {"ErrImagePull", `unexpected status from HEAD request to x: 502 Bad Gateway`, ": the registry cannot be reached"},
		"a bad name":            {"InvalidImageName", `Failed to apply default image tag "x": couldn't parse image name "x": invalid reference format`, ": that is no name of an image"},
		"a rate limit":          {"ErrImagePull", `429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit`, ": the registry takes no more requests for now"},
		"another machine":       {"ErrImagePull", `no match for platform in manifest: not found`, ": the registry has it for other kinds of machines than the node"},
		"never pulled":          {"ErrImageNeverPull", `Container image "x" is not present with pull policy of Never`, ": the node does not have it, and imagePullPolicy Never keeps it from being pulled"},
		"an old kubelet":        {"ImagePullBackOff", `Back-off pulling image "` + image + `"`, ""},
		"the words of its name": {"ErrImagePull", image + ` is odd`, ""},
		"a cause nobody knows":  {"ErrImagePull", "something else", ""},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
				Image: image, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: test.reason, Message: test.message}},
			}}}}
			assert.Equal(t, Health{flamev1alpha1.ReasonImagePull, `cannot pull the image "` + image + `"` + test.want}, Of(pod, "session-manager").Health)
		})
	}
}
