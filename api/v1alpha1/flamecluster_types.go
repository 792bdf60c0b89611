// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FlameCluster is a Flame cluster: one session manager, the executor managers
// that run its tasks and, if wanted, an object cache.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=flame,categories=all
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.executorManager.replicas,statuspath=.status.executorManager.replicas,selectorpath=.status.executorManager.selector
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`,description="Pending, Running, Failed or Suspended"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="Whether every component is ready"
// +kubebuilder:printcolumn:name="Executors",type=integer,JSONPath=`.status.executorManager.ready`,description="Executor managers that are connected to the session manager"
// +kubebuilder:printcolumn:name="Desired",type=integer,JSONPath=`.status.executorManager.desired`,description="Executor managers that are wanted"
// +kubebuilder:printcolumn:name="Busy",type=integer,JSONPath=`.status.executorManager.busy`,description="Executor managers that work for a session"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 39",message="metadata.name must have at most 39 characters: names of pods and Services are made from it"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must start with a letter and hold only lower-case letters, digits and '-': Services are named after it"
type FlameCluster struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what the Flame cluster should be.
	// +required
	Spec FlameClusterSpec `json:"spec"`

	// status says what the Flame cluster is. The operator alone writes it.
	// +optional
	Status FlameClusterStatus `json:"status,omitempty,omitzero"`
}

// FlameClusterList is a list of FlameClusters.
//
// +kubebuilder:object:root=true
type FlameClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// items holds the FlameClusters.
	Items []FlameCluster `json:"items"`
}

// FlameClusterSpec says what a Flame cluster should be.
type FlameClusterSpec struct {
	// flameVersion is the version of Flame in the images, such as 0.6.0. Flame's
	// configuration differs between versions, and a wrong one runs nothing.
	// By default it is read from the tag of sessionManager.image; set it when
	// the image has a digest or a tag that is no version.
	// +kubebuilder:validation:Pattern=`^v?(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?$`
	// +kubebuilder:validation:MaxLength=64
	// +optional
	FlameVersion string `json:"flameVersion,omitempty"`

	// suspend removes every pod of the cluster when true; volumes, configuration
	// and Services stay, and false brings the cluster back with its sessions.
	// Running tasks are not waited for. Defaults to false.
	// +kubebuilder:default=false
	// +optional
	Suspend bool `json:"suspend"`

	// imagePullSecrets names the Secrets that hold credentials for the images,
	// for all pods of the cluster. Defaults to none.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`

	// serviceAccountName is the ServiceAccount of all pods. By default the
	// operator makes one of the cluster's own, without rights. The operator mounts
	// its token in no pod: the supported versions of Flame do not call Kubernetes.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ServiceAccountName string `json:"serviceAccountName,omitempty"`

	// sessionManager describes the session manager, the scheduler of the
	// cluster. There is always one, or none while suspended.
	// +required
	SessionManager SessionManagerSpec `json:"sessionManager"`

	// executorManager describes the executor managers, which run the tasks.
	// +required
	ExecutorManager ExecutorManagerSpec `json:"executorManager"`

	// objectCache describes the object cache, which holds what tasks share.
	// Without it no cache runs.
	// +optional
	ObjectCache *ObjectCacheSpec `json:"objectCache,omitempty"`
}
