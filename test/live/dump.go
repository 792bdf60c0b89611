// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// logLines is how much of each log is printed.
const logLines = 40

// dump prints all that tells why a test failed in a namespace.
func (k *Kubernetes) dump(ctx context.Context, t *testing.T, namespace string) {
	var out strings.Builder
	fmt.Fprintf(&out, "everything in namespace %s:\n", namespace)
	in := client.InNamespace(namespace)
	k.dumpClusters(ctx, &out, in)
	pods := &corev1.PodList{}
	report(&out, k.Client.List(ctx, pods, in))
	for i := range pods.Items {
		dumpPod(&out, &pods.Items[i])
	}
	k.dumpEvents(ctx, &out, in)
	for i := range pods.Items {
		k.dumpLogs(ctx, &out, &pods.Items[i])
	}
	k.dumpOperator(ctx, &out, namespace)
	t.Log(out.String())
}

func report(out *strings.Builder, err error) {
	if err != nil {
		fmt.Fprintf(out, "  (%v)\n", err)
	}
}

func (k *Kubernetes) dumpClusters(ctx context.Context, out *strings.Builder, in client.InNamespace) {
	clusters := &flamev1alpha1.FlameClusterList{}
	report(out, k.Client.List(ctx, clusters, in))
	for i := range clusters.Items {
		clusters.Items[i].ManagedFields = nil
		text, err := yaml.Marshal(clusters.Items[i])
		report(out, err)
		fmt.Fprintf(out, "--- FlameCluster\n%s", text)
	}
}

func dumpPod(out *strings.Builder, pod *corev1.Pod) {
	fmt.Fprintf(out, "--- Pod %s: %s %s, uid %s, hash %s, deleted %v\n", pod.Name, pod.Status.Phase, pod.Status.Message,
		pod.UID, pod.Annotations[flamev1alpha1.AnnotationTemplateHash], pod.DeletionTimestamp)
	for _, condition := range pod.Status.Conditions {
		fmt.Fprintf(out, "  %s=%s %s %s\n", condition.Type, condition.Status, condition.Reason, condition.Message)
	}
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		state, err := yaml.Marshal(status.State)
		report(out, err)
		fmt.Fprintf(out, "  %s: ready %t, restarts %d, %s", status.Name, status.Ready, status.RestartCount,
			strings.ReplaceAll(string(state), "\n", "\n    "))
		fmt.Fprintln(out)
	}
}

func (k *Kubernetes) dumpEvents(ctx context.Context, out *strings.Builder, in client.InNamespace) {
	events := &corev1.EventList{}
	report(out, k.Client.List(ctx, events, in))
	slices.SortFunc(events.Items, func(a, b corev1.Event) int {
		return cmp.Compare(a.CreationTimestamp.Unix(), b.CreationTimestamp.Unix())
	})
	fmt.Fprintln(out, "--- Events")
	for _, event := range events.Items {
		fmt.Fprintf(out, "  %s %s/%s %s: %s\n", event.CreationTimestamp.Format("15:04:05"),
			event.InvolvedObject.Kind, event.InvolvedObject.Name, event.Reason, event.Message)
	}
}

func (k *Kubernetes) dumpLogs(ctx context.Context, out *strings.Builder, pod *corev1.Pod) {
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if status.ContainerID == "" {
			continue
		}
		fmt.Fprintf(out, "--- Log of %s/%s\n", pod.Name, status.Name)
		text, err := k.Logs(ctx, pod, corev1.PodLogOptions{Container: status.Name, TailLines: ptr.To[int64](logLines)})
		report(out, err)
		out.WriteString(text)
		if status.RestartCount > 0 {
			fmt.Fprintln(out, "--- and of the container before")
			text, err := k.Logs(ctx, pod, corev1.PodLogOptions{Container: status.Name, TailLines: ptr.To[int64](logLines), Previous: true})
			report(out, err)
			out.WriteString(text)
		}
	}
}

// dumpOperator prints what the operator says of a namespace.
func (k *Kubernetes) dumpOperator(ctx context.Context, out *strings.Builder, namespace string) {
	pods := &corev1.PodList{}
	report(out, k.Client.List(ctx, pods, client.MatchingLabels{
		"app.kubernetes.io/name": "flame-operator", "app.kubernetes.io/component": "controller-manager",
	}))
	for i := range pods.Items {
		fmt.Fprintf(out, "--- Log of the operator in %s\n", pods.Items[i].Name)
		text, err := k.Logs(ctx, &pods.Items[i], corev1.PodLogOptions{})
		report(out, err)
		for line := range strings.Lines(text) {
			if strings.Contains(line, namespace) {
				out.WriteString(line)
			}
		}
	}
}

// Logs returns what a container of a pod has written.
func (k *Kubernetes) Logs(ctx context.Context, pod *corev1.Pod, options corev1.PodLogOptions) (string, error) {
	text, err := k.Set.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &options).DoRaw(ctx)
	return string(text), err
}
