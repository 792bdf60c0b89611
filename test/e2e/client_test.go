// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/test/live"
)

// anyUser is who a client runs as where no one assigns users.
const anyUser = 65532

// client runs one of Flame's clients in a pod that knows nothing of the cluster
// but the endpoint in its status, and returns what it prints.
func (c flameCluster) client(t *testing.T, command ...string) string {
	t.Helper()
	object, err := c.Get(t.Context())
	require.NoError(t, err)
	pod := clientPod(c, object.Status.SessionManager.Endpoint, command)
	require.NoError(t, k8s.Create(t.Context(), pod))
	eventually(t, fmt.Sprintf("%s: client %v ends", c.Name, command), func(ctx context.Context) error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		if live.Lives(pod) {
			return fmt.Errorf("its pod is %s", pod.Status.Phase)
		}
		return nil
	})
	text, err := cluster.Logs(t.Context(), pod, corev1.PodLogOptions{})
	require.NoError(t, err)
	require.Equalf(t, corev1.PodSucceeded, pod.Status.Phase, "client %v:\n%s", command, text)
	require.NoError(t, k8s.Delete(t.Context(), pod))
	return text
}

// clientPod returns a pod for a client. Flame's clients insist on
// /root/.flame/flame.yaml, whoever they run as, so both folders are volumes.
func clientPod(c flameCluster, endpoint string, command []string) *corev1.Pod {
	volume := func(name string, source corev1.VolumeSource) corev1.Volume {
		return corev1.Volume{Name: name, VolumeSource: source}
	}
	empty := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	user := ptr.To[int64](anyUser)
	if cluster.AssignsUsers {
		user = nil
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, GenerateName: "client-"},
		Spec: corev1.PodSpec{
			RestartPolicy:                corev1.RestartPolicyNever,
			AutomountServiceAccountToken: ptr.To(false),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   ptr.To(true),
				RunAsUser:      user,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "client", Image: standIn, ImagePullPolicy: corev1.PullIfNotPresent, Command: command,
				Env: []corev1.EnvVar{{Name: "FLAME_ENDPOINT", Value: endpoint}},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: ptr.To(false),
					ReadOnlyRootFilesystem:   ptr.To(true),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
				VolumeMounts: []corev1.VolumeMount{
					{Name: "root", MountPath: "/root"}, {Name: "config", MountPath: "/root/.flame"}, {Name: "tmp", MountPath: "/tmp"},
				},
			}},
			Volumes: []corev1.Volume{
				volume("root", empty), volume("tmp", empty),
				volume("config", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
					LocalObjectReference: corev1.LocalObjectReference{Name: naming.Config(c.Name)},
					Items:                []corev1.KeyToPath{{Key: naming.ClientConfigKey, Path: naming.ClientConfigKey}},
				}}),
			},
		},
	}
}

// executorsOf returns the names of a cluster's executor manager pods.
func executorsOf(t *testing.T, c flameCluster) uids {
	t.Helper()
	return c.Living(t, flamev1alpha1.ComponentExecutorManager)
}
