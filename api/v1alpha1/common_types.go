// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
)

// PodSettings are what every component lets users say about its pods.
type PodSettings struct {
	// env holds environment variables for the component's container. Variables
	// that Flame's own work rests on (FLAME_HOME, FLAME_ENDPOINT and others) are refused.
	// +kubebuilder:validation:MaxItems=128
	// +listType=map
	// +listMapKey=name
	// +optional
	Env []corev1.EnvVar `json:"env,omitempty"`

	// nodeSelector holds labels that a node must have to run the component's pods.
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// tolerations lets the component's pods run on nodes with these taints.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// priorityClassName is the priority class of the component's pods. Defaults to the cluster's own.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	PriorityClassName string `json:"priorityClassName,omitempty"`

	// podTemplate is laid over the pod that the operator makes, as a strategic
	// merge patch: {metadata: {labels, annotations}, spec: {...}} in the terms of
	// a PodTemplateSpec. The component's container is named after the component.
	// What Flame or the operator relies on cannot be changed: the host name and
	// network, restartPolicy, shareProcessNamespace, the CPU limit, the command.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	// +kubebuilder:validation:Schemaless
	// +optional
	PodTemplate *runtime.RawExtension `json:"podTemplate,omitempty"`
}

// WhenDeleted says what becomes of a volume claim that the operator made.
// +kubebuilder:validation:Enum=Retain;Delete
type WhenDeleted string

// The values of WhenDeleted.
const (
	// WhenDeletedRetain keeps the claim when its cluster goes; a new cluster of the same name takes it over.
	WhenDeletedRetain WhenDeleted = "Retain"
	// WhenDeletedDelete deletes the claim with its cluster.
	WhenDeletedDelete WhenDeleted = "Delete"
)

// SecretKeyReference names one key of a Secret in the namespace of the cluster.
type SecretKeyReference struct {
	// name is the name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`

	// key is the key in the Secret's data.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Key string `json:"key"`
}

// Slot is the room that one executor takes by default.
// +kubebuilder:validation:XValidation:rule="quantity(string(self.cpu)).isInteger() && quantity(string(self.cpu)).asInteger() >= 1",fieldPath=".cpu",message="cpu must be a whole number of at least 1: Flame counts whole CPUs"
// +kubebuilder:validation:XValidation:rule="quantity(string(self.memory)).isGreaterThan(quantity('0'))",fieldPath=".memory",message="memory must be more than 0: Flame takes 0 for no limit"
// +kubebuilder:validation:XValidation:rule="quantity(string(self.gpu)).isInteger() && quantity(string(self.gpu)).asInteger() >= 0",fieldPath=".gpu",message="gpu must be a whole number of at least 0"
type Slot struct {
	// cpu is the number of CPUs of one executor, a whole number of at least 1
	// because Flame knows no fractions. Defaults to 1.
	// +kubebuilder:default="1"
	// +optional
	CPU resource.Quantity `json:"cpu"`

	// memory is the memory of one executor, such as 1Gi. More than 0. Defaults to 1Gi.
	// +kubebuilder:default="1Gi"
	// +optional
	Memory resource.Quantity `json:"memory"`

	// gpu is the number of GPUs of one executor, a whole number. Executor managers
	// then ask for nvidia.com/gpu. Defaults to 0.
	// +kubebuilder:default="0"
	// +optional
	GPU resource.Quantity `json:"gpu"`
}
