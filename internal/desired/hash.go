// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// asked decides whether a component's pods are up to date. The type holds what the user
// asked for in a form of its own, so that neither a field added to the API later nor
// another way of rendering pods changes the hash of a cluster that nobody touched.
type asked struct {
	Image              string                        `json:"image"`
	Resources          corev1.ResourceRequirements   `json:"resources"`
	Env                []corev1.EnvVar               `json:"env,omitempty"`
	NodeSelector       map[string]string             `json:"nodeSelector,omitempty"`
	Tolerations        []corev1.Toleration           `json:"tolerations,omitempty"`
	PriorityClassName  string                        `json:"priorityClassName,omitempty"`
	PodTemplate        *runtime.RawExtension         `json:"podTemplate,omitempty"`
	ImagePullSecrets   []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`
	ServiceAccountName string                        `json:"serviceAccountName,omitempty"`
	// Volume describes the component's volumes, as far as they depend on the user's spec.
	Volume string `json:"volume,omitempty"`
	// Config is the part of the configuration that the component reads.
	Config any `json:"config"`
}

// hash returns the hash of a component.
func (b builder) hash(image string, resources corev1.ResourceRequirements, settings *flamev1alpha1.PodSettings, volume string, config any) (string, error) {
	text, err := json.Marshal(asked{
		Image:              image,
		Resources:          resources,
		Env:                settings.Env,
		NodeSelector:       settings.NodeSelector,
		Tolerations:        settings.Tolerations,
		PriorityClassName:  settings.PriorityClassName,
		PodTemplate:        settings.PodTemplate,
		ImagePullSecrets:   b.cluster.Spec.ImagePullSecrets,
		ServiceAccountName: b.cluster.Spec.ServiceAccountName,
		Volume:             volume,
		Config:             config,
	})
	if err != nil {
		return "", fmt.Errorf("hash a component of FlameCluster %q: %w", b.cluster.Name, err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}
