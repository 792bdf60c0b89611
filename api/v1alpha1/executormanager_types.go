// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Shim is the way in which executors run applications.
// +kubebuilder:validation:Enum=host
type Shim string

// ShimHost runs applications as processes beside the executor manager. The
// supported versions of Flame have no other that runs anything.
const ShimHost Shim = "host"

// ExecutorManagerSpec describes the executor managers.
type ExecutorManagerSpec struct {
	// image is the image of the executor managers, such as
	// docker.io/xflops/flame-executor-manager:v0.6.0.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	Image string `json:"image"`

	// replicas is the number of executor managers that the operator makes. 0 is
	// allowed: sessions are taken, and their tasks wait for an executor manager.
	// With autoscaling it is only what a new cluster starts with. Defaults to 1.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10000
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`

	// maxExecutors is the number of executors of slot's size that run in one
	// executor manager at once. Flame ignores such a limit of its own and fills
	// the CPUs that it sees, so it is enforced there: the CPU limit is slot.cpu ×
	// maxExecutors. Sessions with a resource request of their own fill the same
	// CPUs differently. Defaults to 1.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=256
	// +optional
	MaxExecutors int32 `json:"maxExecutors,omitempty"`

	// shim is the way in which executors run applications. Its values are those
	// that the supported versions of Flame can run, which is host alone so far.
	// Defaults to host.
	// +kubebuilder:default=host
	// +optional
	Shim Shim `json:"shim,omitempty"`

	// resources are the requests and limits of the executor manager's container.
	// By default both are computed: slot.cpu × maxExecutors CPUs, slot.memory ×
	// maxExecutors plus 256Mi of memory, slot.gpu × maxExecutors GPUs. What is
	// given here takes the place of what is computed; a CPU limit that would
	// make room for another number of executors is refused.
	// +optional
	Resources corev1.ResourceRequirements `json:"resources,omitempty,omitzero"`

	// autoscaling lets the number of executor managers follow the tasks that wait
	// and run. Without it there are as many as replicas says, which kubectl scale
	// and autoscalers of Kubernetes can change. It needs a storage that outlives an
	// executor manager: sessionManager.storage.type none excludes it.
	// +optional
	Autoscaling *AutoscalingSpec `json:"autoscaling,omitempty"`

	PodSettings `json:",inline"`

	// drainTimeoutSeconds is how long the end of an executor manager waits for the
	// tasks that it runs, whoever deletes its pod: the operator for a scale-down or
	// an update, kubectl drain, an eviction. It is the pod's termination grace
	// period; after it the rest is killed, and runs again elsewhere. Deleting or
	// suspending the cluster does not wait for it. A change holds for pods that are
	// made later, and restarts none. In seconds. Defaults to 3600.
	// +kubebuilder:default=3600
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=604800
	// +optional
	DrainTimeoutSeconds int32 `json:"drainTimeoutSeconds,omitempty"`

	// updateStrategy says how executor managers are replaced when the spec
	// changes. By default a quarter of them, at least one, is added first.
	// +kubebuilder:default={maxSurge: "25%", maxUnavailable: 0}
	// +optional
	UpdateStrategy UpdateStrategy `json:"updateStrategy,omitempty,omitzero"`
}

// AutoscalingSpec says how far and how fast the number of executor managers
// follows the tasks. The number goes up at once, and down after a delay.
// +kubebuilder:validation:XValidation:rule="self.minReplicas <= self.maxReplicas",fieldPath=".maxReplicas",message="maxReplicas must be at least minReplicas"
type AutoscalingSpec struct {
	// minReplicas is the number of executor managers that stay when nothing needs
	// them. With 0 the first task waits for one to start. Defaults to 0.
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10000
	// +optional
	MinReplicas int32 `json:"minReplicas"`

	// maxReplicas is the number of executor managers that there are at most,
	// whatever waits. ScalingActive says so when more are needed.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	// +required
	MaxReplicas int32 `json:"maxReplicas"`

	// scaleDownDelaySeconds is how long fewer executor managers have to be needed
	// before there are fewer; then there are as many as were needed at most
	// meanwhile. Executors that wait for the next task of their session, 60
	// seconds in Flame unless an application's delay_release says otherwise, count
	// as needed, so that the delay starts after them. A delay of less than 30 seconds
	// more than delay_release has sessions that pause start on new executor
	// managers again and again. In seconds. Defaults to 120.
	// +kubebuilder:default=120
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +optional
	ScaleDownDelaySeconds int32 `json:"scaleDownDelaySeconds"`

	// maxStarting is the number of executor managers that a scale-up may have
	// starting at once: the next ones follow as those become ready. It spares a
	// registry or a quota. minReplicas is kept to all the same. By default all that
	// are needed start at once.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	// +optional
	MaxStarting *int32 `json:"maxStarting,omitempty"`
}

// UpdateStrategy says how executor managers are replaced when the spec changes.
// +kubebuilder:validation:XValidation:rule="!(string(self.maxSurge) in ['0', '0%'] && string(self.maxUnavailable) in ['0', '0%'])",message="maxSurge and maxUnavailable cannot both be 0: nothing could ever be replaced"
type UpdateStrategy struct {
	// maxSurge is the number of executor managers that may run above the wanted
	// number during an update, or a percentage of it, rounded up. Defaults to 25%.
	// +kubebuilder:default="25%"
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}|(100|[0-9]{1,2})%)$`
	// +optional
	MaxSurge intstr.IntOrString `json:"maxSurge,omitempty,omitzero"`

	// maxUnavailable is the number of executor managers that may be missing from
	// the wanted number during an update, or a percentage of it, rounded down.
	// Defaults to 0.
	// +kubebuilder:default=0
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}|(100|[0-9]{1,2})%)$`
	// +optional
	MaxUnavailable intstr.IntOrString `json:"maxUnavailable,omitempty"`
}
