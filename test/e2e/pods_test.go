// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// execute runs a script in a container and returns what it prints.
func execute(ctx context.Context, namespace, pod, container, script string) (string, error) {
	request := cluster.Set.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: container, Command: []string{"/bin/bash", "-c", script}, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(cluster.Config, "GET", request.URL().String())
	if err != nil {
		return "", err
	}
	var out, errOut bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &errOut})
	if err != nil {
		return "", fmt.Errorf("in container %s of pod %s: %w: %s%s", container, pod, err, out.String(), errOut.String())
	}
	return out.String(), nil
}

// killed is the exit status of a process that was killed.
const killed = 128 + 9

// kill ends the processes of a program in a container as an exhausted memory
// would.
func kill(t *testing.T, namespace, pod, container, program string) {
	t.Helper()
	signal(t, namespace, pod, container, program, "KILL")
}

func signal(t *testing.T, namespace, pod, container, program, name string) {
	t.Helper()
	require.NoErrorf(t, sendSignal(t.Context(), namespace, pod, container, program, name), "send SIG%s to %s", name, program)
}

// sendSignal sends a signal to the processes of a program in a container.
// Containers of a pod share their processes, so they are found by name.
func sendSignal(ctx context.Context, namespace, pod, container, program, name string) error {
	script := fmt.Sprintf(`found=
for process in /proc/[0-9]*; do
  read -r -d '' name <"$process/cmdline"
  [[ $name == */%s ]] && kill -%s "${process#/proc/}" && found=1
done 2>/dev/null
[[ $found ]] || { echo "no such process"; exit 1; }`, program, name)
	_, err := execute(ctx, namespace, pod, container, script)
	var exit exec.ExitError
	if errors.As(err, &exit) && exit.ExitStatus() == killed {
		return nil // The script went with the container.
	}
	return err
}

// deletePod deletes a pod and does not wait.
func deletePod(t *testing.T, namespace, name string, options ...client.DeleteOption) {
	t.Helper()
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = namespace, name
	require.NoError(t, k8s.Delete(t.Context(), pod, options...))
}

// byForce has the API server forget a pod at once, whatever becomes of its processes.
const byForce = client.GracePeriodSeconds(0)

func getPod(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	if err := k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, pod); err != nil {
		return nil, err
	}
	return pod, nil
}
