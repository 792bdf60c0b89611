// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Labels that the operator sets on everything it makes, and that users may
// select by. Their values never change during an object's life.
const (
	// LabelCluster holds the name of the FlameCluster that an object belongs to.
	LabelCluster = "flame.xflops.io/cluster"

	// LabelName is "flame" on everything the operator makes.
	LabelName = "app.kubernetes.io/name"
	// LabelInstance holds the name of the FlameCluster, as LabelCluster does. Claims do not
	// carry it: one without an owner would be deleted by whoever takes the label for the
	// name of an application that does not list it, as Argo CD does.
	LabelInstance = "app.kubernetes.io/instance"
	// LabelComponent says which part of Flame an object serves: one of the Component values.
	LabelComponent = "app.kubernetes.io/component"
	// LabelPartOf is "flame" on everything the operator makes.
	LabelPartOf = "app.kubernetes.io/part-of"
	// LabelManagedBy is "flame-operator" on everything the operator makes; its caches hold nothing else.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// LabelVersion holds the version of Flame that runs, on pods only.
	LabelVersion = "app.kubernetes.io/version"
)

// Values of LabelComponent, in Flame's own words.
const (
	ComponentSessionManager  = "session-manager"
	ComponentExecutorManager = "executor-manager"
	ComponentObjectCache     = "object-cache"
)

// GateNodeReady is the condition of an executor manager's pod that its readiness
// gate asks for: True while Flame lists its node as Ready. While Flame is silent
// its last word stands.
const GateNodeReady = "flame.xflops.io/NodeReady"

// AnnotationApplied holds a hash of what was applied last. A field that is no longer wanted
// does not show in the object itself, but changes the hash.
const AnnotationApplied = "flame.xflops.io/applied"

// AnnotationWokenAt says when the controller of an object cache's StatefulSet was woken
// last, because it may still wait after a refusal that has ended, in RFC 3339.
const AnnotationWokenAt = "flame.xflops.io/woken-at"

// Labels and annotations through which the operator remembers what it did to a
// pod. Users may read them; what they write there comes back.
const (
	// LabelServing is "true" on a session manager pod that is in its Service and
	// "false" on one that was taken out of it to be replaced.
	LabelServing = "flame.xflops.io/serving"
	// AnnotationTemplateHash holds the hash of what a pod was made from. A pod
	// with another hash than the wanted one is outdated.
	AnnotationTemplateHash = "flame.xflops.io/template-hash"
	// AnnotationFailures counts how many pods in a row failed in the place that
	// this pod took; it decides the back-off before the next one.
	AnnotationFailures = "flame.xflops.io/failures"
	// AnnotationWithdrawnAt says when a session manager pod was taken out of its
	// Service, or put back, in RFC 3339.
	AnnotationWithdrawnAt = "flame.xflops.io/withdrawn-at"
	// AnnotationFollowsWithdrawn is "true" on a session manager pod if the one
	// before it had left its Service in time, so that nobody's connection was
	// swallowed when it went.
	AnnotationFollowsWithdrawn = "flame.xflops.io/follows-withdrawn"
	// AnnotationStorage stands for the storage that a session manager pod was made with:
	// its engine, its URI and its claim. On the session manager's Service it is that of
	// the last pod, which may be gone.
	AnnotationStorage = "flame.xflops.io/storage"
	// AnnotationForgets is "true" on a session manager pod that was made with another
	// storage than the one before it, and knows nothing of what that one knew.
	AnnotationForgets = "flame.xflops.io/forgets"
)
