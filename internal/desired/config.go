// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/xflops/flame-operator/internal/flameconf"
	"github.com/xflops/flame-operator/internal/naming"
)

// config returns the ConfigMap with the configuration of servers and clients, and a
// Secret if the storage URI comes from one. In that case the URI is in the Secret alone,
// and only the session manager mounts the Secret, because executor managers run the code
// of users.
//
// Flame workaround: one-file-for-all
func (b builder) config() (*corev1ac.ConfigMapApplyConfiguration, *corev1ac.SecretApplyConfiguration, error) {
	server := b.server
	if b.storageIsSecret() {
		server.Cluster.Storage = ""
	}
	serverText, err := flameconf.Render(server)
	if err != nil {
		return nil, nil, err
	}
	clientText, err := flameconf.Render(flameconf.ForClients(b.cluster))
	if err != nil {
		return nil, nil, err
	}
	name := naming.Config(b.cluster.Name)
	configMap := corev1ac.ConfigMap(name, b.cluster.Namespace).
		WithLabels(naming.Labels(b.cluster.Name, "")).
		WithOwnerReferences(b.owner()).
		WithData(map[string]string{naming.ServerConfigKey: serverText, naming.ClientConfigKey: clientText})
	if !b.storageIsSecret() {
		return configMap, nil, nil
	}
	secretText, err := flameconf.Render(b.server)
	if err != nil {
		return nil, nil, err
	}
	secret := corev1ac.Secret(name, b.cluster.Namespace).
		WithLabels(naming.Labels(b.cluster.Name, "")).
		WithOwnerReferences(b.owner()).
		WithData(map[string][]byte{naming.ServerConfigKey: []byte(secretText)})
	return configMap, secret, nil
}

func (b builder) storageIsSecret() bool {
	return b.cluster.Spec.SessionManager.Storage.URISecretRef != nil
}
