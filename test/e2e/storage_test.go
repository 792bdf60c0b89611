// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
)

func TestStorageURIFromASecret(t *testing.T) {
	t.Parallel()
	const uri = "fs:///var/lib/flame/elsewhere"
	c := create(t, newNamespace(t), "flame", storageFromSecret)
	status := c.Says(t, flamev1alpha1.ConditionProgressing, metav1.ConditionTrue, flamev1alpha1.ReasonWaitingForReference,
		`Secret "storage"`, "does not exist")
	assert.Equal(t, flamev1alpha1.StatePending, status.State)
	assert.NoError(t, mentions(status.Message, `Secret "storage"`))
	assert.Empty(t, c.AllLiving(t), "nothing runs without it")

	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: "storage"}}
	require.NoError(t, k8s.Create(t.Context(), secret))
	c.Says(t, flamev1alpha1.ConditionProgressing, metav1.ConditionTrue, flamev1alpha1.ReasonWaitingForReference, `no key "uri"`)
	secret.StringData = map[string]string{"uri": uri}
	require.NoError(t, k8s.Update(t.Context(), secret))
	c.Settled(t)

	text, err := execute(t.Context(), c.Namespace, naming.SessionManager(c.Name), sessionManager, "cat /etc/flame/"+naming.ServerConfigKey+"; ls /var/lib/flame")
	require.NoError(t, err)
	assert.NoError(t, mentions(text, uri, "elsewhere"), "the session manager keeps its state there")
	for _, object := range children(t, c) {
		if configMap, ok := object.(*corev1.ConfigMap); ok {
			assert.NotContains(t, fmt.Sprint(configMap.Data), uri, "the URI is in no ConfigMap")
		}
	}
}

// storageFromSecret takes the storage URI from a Secret.
func storageFromSecret(spec *flamev1alpha1.FlameClusterSpec) {
	spec.SessionManager.Storage.URISecretRef = &flamev1alpha1.SecretKeyReference{Name: "storage", Key: "uri"}
}

func TestSessionManagerThatCrashesIsToldAndMended(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "storage"},
		// The root of the container is read-only.
		StringData: map[string]string{"uri": "fs:///where/nobody/can/write"},
	}
	require.NoError(t, k8s.Create(t.Context(), secret))
	c := create(t, namespace, "flame", storageFromSecret)
	status := c.Says(t, flamev1alpha1.ConditionSessionManagerReady, metav1.ConditionFalse, flamev1alpha1.ReasonCrashing, "exit code")
	assert.Equal(t, flamev1alpha1.StateFailed, status.State)
	assertNamesNoPod(t, status, c.AllLiving(t))
	waiting := c.Has(t, executors, 1)

	// Nothing tells of a changed Secret: it is read again every minute.
	secret.StringData = map[string]string{"uri": "fs:///var/lib/flame/session"}
	require.NoError(t, k8s.Update(t.Context(), secret))
	c.Settled(t)
	assert.Equal(t, waiting, c.Living(t, executors), "the executor manager has waited")
}
