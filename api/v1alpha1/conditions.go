// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Condition types of a FlameCluster. Each carries the generation it speaks of;
// messages name numbers and fields, never pods.
const (
	// ConditionReady says whether what is wanted serves: the session manager, at least one
	// executor manager if any is wanted, and the object cache if there is one. Its
	// observedGeneration is that of the last spec that is in place or was refused. The
	// condition is absent while the cluster is suspended.
	ConditionReady = "Ready"
	// ConditionReconciling is True while the cluster is on its way to what the spec asks
	// for, and absent otherwise. What comes and goes with the load is no part of that.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True while no waiting helps, because the spec cannot run or an
	// update stands still, and absent otherwise.
	ConditionStalled = "Stalled"
	// ConditionSessionManagerReady says whether the session manager takes sessions.
	ConditionSessionManagerReady = "SessionManagerReady"
	// ConditionExecutorsReady says whether every wanted executor manager is
	// connected to the session manager.
	ConditionExecutorsReady = "ExecutorsReady"
	// ConditionObjectCacheReady says whether the object cache answers, and is absent while
	// the spec asks for none.
	ConditionObjectCacheReady = "ObjectCacheReady"
	// ConditionStorageReady says how the claims are of which the cluster makes use, and is
	// absent without a claim. A claim that is False holds up no component: the conditions
	// of the components say what that means for them.
	ConditionStorageReady = "StorageReady"
	// ConditionScalingActive is True while the number of executor managers follows the
	// load, and False while it cannot; the reason says why the number is what it is. The
	// condition is absent while the spec asks for no autoscaling.
	ConditionScalingActive = "ScalingActive"
	// ConditionProgressing is True while something is being created, replaced or
	// scaled, and False when all is as the spec says or nothing moves any more.
	ConditionProgressing = "Progressing"
	// ConditionSpecValid is False when the spec asks for something that cannot
	// run. The message says what to change; until then the last valid spec stays in place.
	ConditionSpecValid = "SpecValid"
)

// Reasons that conditions and events carry.
const (
	// ReasonReady means that everything the condition speaks of is ready.
	ReasonReady = "Ready"
	// ReasonStarting means that a pod exists and has not become ready yet.
	ReasonStarting = "Starting"
	// ReasonPending means that a pod waits for a node, or has waited there for a minute for
	// its volumes or its network; the message has the words of the scheduler or the kubelet.
	ReasonPending = "Pending"
	// ReasonImagePull means that an image cannot be pulled; the message says why, if that
	// is known.
	ReasonImagePull = "ImagePull"
	// ReasonCrashing means that a container ends again and again. Flame's
	// session manager ends with exit code 0 on some errors, which counts too.
	ReasonCrashing = "Crashing"
	// ReasonConfigError means that a container cannot be made, for want of a Secret for
	// example; the message says which.
	ReasonConfigError = "ConfigError"
	// ReasonReplacing means that the session manager or the object cache is being
	// replaced, for a new image or configuration.
	ReasonReplacing = "Replacing"
	// ReasonScaling means that executor managers are being added or removed.
	ReasonScaling = "Scaling"
	// ReasonDraining means that executor managers that were deleted go on with their
	// tasks; the message says until when they may.
	ReasonDraining = "Draining"
	// ReasonUpdating means that executor managers are being replaced by ones of the current spec.
	ReasonUpdating = "Updating"
	// ReasonUpdateStopped means that the update of executor managers stands still
	// because the new ones fail; the old ones still work.
	ReasonUpdateStopped = "UpdateStopped"
	// ReasonStable means that nothing is being changed.
	ReasonStable = "Stable"
	// ReasonSuspended means that spec.suspend asks for no pods.
	ReasonSuspended = "Suspended"
	// ReasonNoneWanted means that the spec asks for no executor manager.
	ReasonNoneWanted = "NoneWanted"
	// ReasonNotReady means that a component is missing for Ready; the message says which.
	ReasonNotReady = "NotReady"
	// ReasonMultipleReplicas means that the object cache runs with more than one
	// replica, which Flame does not support: objects are found on one of them only.
	ReasonMultipleReplicas = "MultipleReplicas"
	// ReasonFollowingLoad means that there are as many executor managers as the
	// load needs.
	ReasonFollowingLoad = "FollowingLoad"
	// ReasonAtMaximum means that the load needs more executor managers than
	// maxReplicas allows.
	ReasonAtMaximum = "AtMaximum"
	// ReasonAtMinimum means that the load needs fewer executor managers than
	// minReplicas keeps.
	ReasonAtMinimum = "AtMinimum"
	// ReasonScaleDownDelay means that the load needs fewer executor managers, but
	// has not for scaleDownDelaySeconds.
	ReasonScaleDownDelay = "ScaleDownDelay"
	// ReasonScaleUpLimited means that maxStarting executor managers are starting,
	// and more follow when they are ready.
	ReasonScaleUpLimited = "ScaleUpLimited"
	// ReasonUnschedulable means that sessions ask for executors that no executor
	// manager has room for; the number follows the rest of the load.
	ReasonUnschedulable = "Unschedulable"
	// ReasonFlameSilent means that Flame does not say what it has to do, so that
	// its last word stands.
	ReasonFlameSilent = "FlameSilent"
	// ReasonNotScheduling means that the session manager answers and leaves tasks
	// waiting that executor managers have room for.
	ReasonNotScheduling = "NotScheduling"
	// ReasonTasksLost means that the session manager works, and has lost tasks from
	// its queue; the message says which and what brings them back.
	ReasonTasksLost = "TasksLost"
	// ReasonSessionsBlocked means that the session manager works, and gives sessions no more
	// executors, because starting them failed sessionRetryLimit times; the message says
	// which, and why. Each such session is an event of this reason.
	ReasonSessionsBlocked = "SessionsBlocked"
	// ReasonBound means that every claim has its volume.
	ReasonBound = "Bound"
	// ReasonGrowing means that the volume of a claim is being enlarged.
	ReasonGrowing = "Growing"
	// ReasonLarger means that a claim is larger than the spec asks for, which is no fault.
	ReasonLarger = "Larger"
	// ReasonUnbound means that a claim waits for its volume; the message has the words of
	// its storage class or provisioner.
	ReasonUnbound = "Unbound"
	// ReasonCannotGrow means that a claim cannot become as large as the spec asks for; the
	// message has the words of whoever refuses.
	ReasonCannotGrow = "CannotGrow"
	// ReasonCannotChange means that the spec asks for another storage class or access mode
	// than a claim has, which stays as it is.
	ReasonCannotChange = "CannotChange"
	// ReasonTerminating means that a claim was deleted while it is in use. What it holds
	// goes with its pod, which the operator does not replace meanwhile.
	ReasonTerminating = "Terminating"
	// ReasonClaimLost means that the volume of a claim is gone.
	ReasonClaimLost = "ClaimLost"
	// ReasonValid means that the spec can run.
	ReasonValid = "Valid"
	// ReasonTolerated means that the spec runs because it did before, although a new one
	// like it would be refused.
	ReasonTolerated = "Tolerated"
	// ReasonInvalid means that the spec cannot run as it is.
	ReasonInvalid = "Invalid"
	// ReasonWaitingForReference means that a Secret or a claim which the spec names does
	// not exist yet, or that an object of somebody else has a name that is needed.
	ReasonWaitingForReference = "WaitingForReference"
	// ReasonRefused means that the API server, or a quota, a policy or a webhook that it
	// asks, refuses what the component needs. The message says who and why; it is tried
	// again every 20 seconds.
	ReasonRefused = "Refused"
	// ReasonError means that a call to the Kubernetes API failed and is being retried,
	// within 30 seconds.
	ReasonError = "Error"
)
