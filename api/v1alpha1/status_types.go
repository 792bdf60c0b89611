// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// State sums up a FlameCluster in one word.
// +kubebuilder:validation:Enum=Pending;Running;Failed;Suspended
type State string

// The states of a FlameCluster.
const (
	// StatePending means that the cluster is on its way.
	StatePending State = "Pending"
	// StateRunning means that the session manager is ready, and so is an
	// executor manager unless none is wanted.
	StateRunning State = "Running"
	// StateFailed means that the session manager or every executor manager
	// fails, or that the spec cannot run.
	StateFailed State = "Failed"
	// StateSuspended means that spec.suspend asks for no pods.
	StateSuspended State = "Suspended"
)

// FlameClusterStatus says what a Flame cluster is.
type FlameClusterStatus struct {
	// conditions say in detail how the cluster is: Ready, SessionManagerReady,
	// ExecutorsReady, ObjectCacheReady, StorageReady, ScalingActive, Progressing and SpecValid.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that this status speaks of.
	// +kubebuilder:validation:Minimum=0
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// state sums up the cluster: Pending, Running, Failed or Suspended.
	// +optional
	State State `json:"state,omitempty"`

	// message says why state is what it is.
	// +optional
	Message string `json:"message,omitempty"`

	// sessionManager says how the session manager is.
	// +optional
	SessionManager SessionManagerStatus `json:"sessionManager,omitempty,omitzero"`

	// executorManager says how the executor managers are.
	// +optional
	ExecutorManager ExecutorManagerStatus `json:"executorManager,omitempty,omitzero"`

	// objectCache says how the object cache is. It is absent while the spec asks for none.
	// +optional
	ObjectCache *ObjectCacheStatus `json:"objectCache,omitempty"`

	// load says what the session manager has to do, as Flame said last. It is
	// absent until Flame has said something.
	// +optional
	Load *LoadStatus `json:"load,omitempty"`

	// autoscaling says what autoscaling decided last. It is absent while the spec
	// asks for none.
	// +optional
	Autoscaling *AutoscalingStatus `json:"autoscaling,omitempty"`
}

// SessionManagerStatus says how the session manager is.
type SessionManagerStatus struct {
	// ready is true while the session manager takes sessions and executor managers.
	// +optional
	Ready bool `json:"ready"`

	// endpoint is the address that clients in the Kubernetes cluster use, for
	// the endpoint in their flame.yaml or for FLAME_ENDPOINT.
	// +optional
	Endpoint string `json:"endpoint,omitempty"`
}

// ExecutorManagerStatus says how the executor managers are.
type ExecutorManagerStatus struct {
	// replicas is the number of executor manager pods that exist and have neither
	// ended nor been told to.
	// +kubebuilder:default=0
	// +optional
	Replicas int32 `json:"replicas"`

	// ready is the number of executor managers that are connected to the session manager.
	// +optional
	Ready int32 `json:"ready"`

	// updated is the number of executor managers that are of the current spec and ready.
	// +optional
	Updated int32 `json:"updated"`

	// busy is the number of executor managers that hold an executor of a session,
	// which runs a task or waits for the next one. It is Flame's last word.
	// +optional
	Busy int32 `json:"busy"`

	// draining is the number of executor managers that were deleted and have time left to
	// end their tasks.
	// +optional
	Draining int32 `json:"draining,omitempty"`

	// desired is the number of executor managers that are wanted: what autoscaling
	// decided, or spec.executorManager.replicas without it, or 0 while suspended.
	// +optional
	Desired int32 `json:"desired"`

	// selector selects the executor manager pods, in the form that the scale
	// subresource and kubectl -l take.
	// +optional
	Selector string `json:"selector,omitempty"`
}

// ObjectCacheStatus says how the object cache is.
type ObjectCacheStatus struct {
	// ready is true while every replica of the object cache answers.
	// +optional
	Ready bool `json:"ready"`

	// endpoint is the address that clients in the Kubernetes cluster use, for
	// the cache endpoint in their flame.yaml or for FLAME_CACHE_ENDPOINT.
	// +optional
	Endpoint string `json:"endpoint,omitempty"`
}

// LoadStatus says what a session manager has to do.
type LoadStatus struct {
	// sessionsOpen is the number of sessions that take tasks.
	// +optional
	SessionsOpen int32 `json:"sessionsOpen"`

	// sessionsBlocked is the number of open sessions that get no more executors,
	// because starting them failed sessionRetryLimit times.
	// +optional
	SessionsBlocked int32 `json:"sessionsBlocked"`

	// blocked names the first of these sessions, the longest blocked first.
	// +kubebuilder:validation:MaxItems=10
	// +listType=atomic
	// +optional
	Blocked []BlockedSession `json:"blocked,omitempty"`

	// tasksPending is the number of tasks that wait for an executor.
	// +optional
	TasksPending int32 `json:"tasksPending"`

	// tasksRunning is the number of tasks that run.
	// +optional
	TasksRunning int32 `json:"tasksRunning"`

	// tasksLost is the number of tasks of open sessions that are pending and that
	// Flame's queue does not have, so that nothing runs them before the session
	// manager starts anew. They are not among tasksPending. Such a task is found
	// within minutes, once no other task of its session is pending.
	// +optional
	TasksLost int32 `json:"tasksLost"`
}

// BlockedSession is an open session that gets no more executors.
type BlockedSession struct {
	// session is the ID of the session.
	// +required
	Session string `json:"session"`

	// reason is what Flame said of the executor that failed last to start the session.
	// +optional
	Reason string `json:"reason,omitempty"`
}

// AutoscalingStatus is what autoscaling decided last, and what it has to remember
// until the next decision. Nothing of it changes while the load stays the same.
type AutoscalingStatus struct {
	// desiredReplicas is the number of executor managers that was decided on.
	// +optional
	DesiredReplicas int32 `json:"desiredReplicas"`

	// neededReplicas is the number that the load needed, within minReplicas and
	// maxReplicas. There are more while the delay of a scale-down lasts.
	// +optional
	NeededReplicas int32 `json:"neededReplicas"`

	// reason is why desiredReplicas is what it is, in the words of the condition
	// ScalingActive.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Reason string `json:"reason,omitempty"`

	// lastScaleTime is when desiredReplicas changed last.
	// +optional
	LastScaleTime *metav1.Time `json:"lastScaleTime,omitempty"`

	// peaks are the larger numbers that were needed within the last
	// scaleDownDelaySeconds, the largest and oldest first. There are none while
	// the load stays the same.
	// +kubebuilder:validation:MaxItems=8
	// +listType=atomic
	// +optional
	Peaks []AutoscalingPeak `json:"peaks,omitempty"`
}

// AutoscalingPeak is a number of executor managers that was needed for a time.
type AutoscalingPeak struct {
	// replicas is the number that was needed.
	// +required
	Replicas int32 `json:"replicas"`

	// endTime is when fewer were needed.
	// +required
	EndTime metav1.Time `json:"endTime"`
}
