// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import corev1 "k8s.io/api/core/v1"

// Policy is the order in which Flame's scheduler serves sessions.
// +kubebuilder:validation:Enum=priority;drf
type Policy string

// The values of Policy.
const (
	// PolicyPriority serves sessions of higher priority first, then older ones.
	PolicyPriority Policy = "priority"
	// PolicyDRF shares the cluster evenly between open sessions; with it alone,
	// one busy session among N open ones gets about 1/N of the cluster.
	PolicyDRF Policy = "drf"
)

// DisruptionBudget says when the session manager may not be evicted.
// +kubebuilder:validation:Enum=WhileTasksRun;None
type DisruptionBudget string

// The values of DisruptionBudget.
const (
	// DisruptionBudgetWhileTasksRun refuses an eviction while any task runs.
	DisruptionBudgetWhileTasksRun DisruptionBudget = "WhileTasksRun"
	// DisruptionBudgetNone lets the session manager be evicted at any time.
	DisruptionBudgetNone DisruptionBudget = "None"
)

// SessionManagerSpec describes the session manager.
type SessionManagerSpec struct {
	// image is the image of the session manager, such as
	// docker.io/xflops/flame-session-manager:v0.6.0.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	Image string `json:"image"`

	// resources are the requests and limits of the session manager's container.
	// It holds every session and task in memory. Defaults to none.
	// +optional
	Resources corev1.ResourceRequirements `json:"resources,omitempty,omitzero"`

	// disruptionBudget says when the session manager may not be evicted, as
	// kubectl drain does. WhileTasksRun refuses it while any task runs, since the
	// tasks that run then run twice; None allows it at any time. One that is not
	// ready may always be evicted. Executor managers need no budget: they end their
	// tasks first, within drainTimeoutSeconds. Defaults to WhileTasksRun.
	// +kubebuilder:default=WhileTasksRun
	// +optional
	DisruptionBudget DisruptionBudget `json:"disruptionBudget,omitempty"`

	PodSettings `json:",inline"`

	// slot is the room that one executor takes, for sessions that do not ask for
	// something else. It decides how large an executor manager is. Defaults to
	// 1 CPU, 1Gi of memory and no GPU.
	// +kubebuilder:default={cpu: "1", memory: "1Gi", gpu: "0"}
	// +optional
	Slot Slot `json:"slot,omitempty,omitzero"`

	// policy is the order in which sessions are served: priority or drf.
	// Defaults to priority.
	// +kubebuilder:default=priority
	// +optional
	Policy Policy `json:"policy,omitempty"`

	// scheduleIntervalMilliseconds is the time between two rounds of the
	// scheduler, in milliseconds. Defaults to 100.
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=60000
	// +optional
	ScheduleIntervalMilliseconds int32 `json:"scheduleIntervalMilliseconds,omitempty"`

	// maxSessions is the number of sessions that are kept. When there are more,
	// the oldest closed ones are forgotten; open ones never are. Defaults to 1000.
	// +kubebuilder:default=1000
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	MaxSessions int32 `json:"maxSessions,omitempty"`

	// sessionRetryLimit is the number of times that starting a session on an
	// executor may fail before the session gets no more executors. Defaults to 5.
	// +kubebuilder:default=5
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +optional
	SessionRetryLimit int32 `json:"sessionRetryLimit,omitempty"`

	// storage says where sessions and tasks are kept. Defaults to files in a
	// volume that lives as long as the session manager's pod.
	// +kubebuilder:default={}
	// +optional
	Storage SessionManagerStorage `json:"storage,omitempty,omitzero"`
}

// StorageType is the way in which the session manager keeps its state.
// +kubebuilder:validation:Enum=filesystem;sqlite;none
type StorageType string

// The values of StorageType.
const (
	// StorageFilesystem keeps the state in files, which newer versions of Flame can read.
	StorageFilesystem StorageType = "filesystem"
	// StorageSQLite keeps the state in an SQLite database, which other versions
	// of Flame cannot read: an update of Flame starts it anew or fails.
	StorageSQLite StorageType = "sqlite"
	// StorageNone keeps the state in memory: a restart of the session manager
	// loses every session, and a lost executor manager the tasks it ran.
	StorageNone StorageType = "none"
)

// SessionManagerStorage says where sessions and tasks are kept. The volume is
// mounted at /var/lib/flame, for whatever uriSecretRef points to as well.
// +kubebuilder:validation:XValidation:rule="!(has(self.volumeClaimTemplate) && has(self.existingClaim))",message="volumeClaimTemplate and existingClaim exclude each other: set one of them, or neither for a volume that lives as long as the pod"
// +kubebuilder:validation:XValidation:rule="self.type != 'none' || !(has(self.volumeClaimTemplate) || has(self.existingClaim)) || has(self.uriSecretRef)",message="type none keeps nothing: leave out volumeClaimTemplate and existingClaim, or choose another type"
type SessionManagerStorage struct {
	// type is the way in which the state is kept: filesystem, sqlite or none.
	// Defaults to filesystem.
	// +kubebuilder:default=filesystem
	// +optional
	Type StorageType `json:"type,omitempty"`

	// volumeClaimTemplate is the claim that the operator makes for the state. It
	// may grow later if its storage class allows it, but not shrink or change
	// otherwise.
	// +optional
	VolumeClaimTemplate *corev1.PersistentVolumeClaimSpec `json:"volumeClaimTemplate,omitempty"`

	// existingClaim names a claim that exists already, in the namespace of the
	// cluster. The operator never changes or deletes it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ExistingClaim string `json:"existingClaim,omitempty"`

	// uriSecretRef names the key of a Secret that holds the storage URI. It
	// overrides type, and the configuration that holds it is then a Secret.
	// Flame's engines are all files: point it below /var/lib/flame, where the
	// volume is. The Secret is read again every minute.
	// +optional
	URISecretRef *SecretKeyReference `json:"uriSecretRef,omitempty"`

	// whenDeleted says what becomes of the claim made from volumeClaimTemplate
	// when the cluster is deleted: Retain or Delete. Defaults to Retain.
	// +kubebuilder:default=Retain
	// +optional
	WhenDeleted WhenDeleted `json:"whenDeleted,omitempty"`
}
