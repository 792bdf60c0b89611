// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package storage is the one reading of a PersistentVolumeClaim, what is to be done about
// the claim, and the words for it.
//
// A claim is a fact and no demand: whatever about it is not as the spec asks is told, and
// holds up nothing that can go on without it.
package storage

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/events"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/words"
)

// Claim is what is known of one claim.
type Claim struct {
	// Ours says that the claim was made for the cluster: the cluster, or its StatefulSet,
	// controls it, or nobody does and it carries the operator's mark. Owner names whoever
	// else controls it.
	Ours  bool
	Owner string

	Bound, Lost, Terminating bool

	Class *string
	Modes []corev1.PersistentVolumeAccessMode
	// Asked is the size that the claim asks for, and Has is the size of its volume.
	Asked, Has resource.Quantity
	// CannotGrow has the words of whoever failed to resize the volume.
	CannotGrow string
}

// Of reads a claim of the cluster of the given name and UID.
func Of(claim *corev1.PersistentVolumeClaim, cluster string, uid types.UID) *Claim {
	c := &Claim{
		Ours:        IsMarked(claim.Labels, cluster),
		Bound:       claim.Status.Phase == corev1.ClaimBound,
		Lost:        claim.Status.Phase == corev1.ClaimLost,
		Terminating: claim.DeletionTimestamp != nil,
		Class:       claim.Spec.StorageClassName,
		Modes:       claim.Spec.AccessModes,
		Asked:       *claim.Spec.Resources.Requests.Storage(),
		Has:         *claim.Status.Capacity.Storage(),
		CannotGrow:  resizeError(claim.Status.Conditions),
	}
	if controller := metav1.GetControllerOfNoCopy(claim); controller != nil {
		ofCache := controller.Kind == "StatefulSet" && controller.Name == naming.ObjectCache(cluster)
		if c.Ours = controller.UID == uid || ofCache && c.Ours; !c.Ours {
			c.Owner = fmt.Sprintf("%s %q", controller.Kind, controller.Name)
		}
	}
	return c
}

// IsMarked reports whether labels are those that the operator gives to what it makes for a
// cluster. A claim that has no owner and not this mark is somebody else's.
func IsMarked(labels map[string]string, cluster string) bool {
	return labels[flamev1alpha1.LabelManagedBy] == naming.ManagedBy && labels[flamev1alpha1.LabelCluster] == cluster
}

func resizeError(conditions []corev1.PersistentVolumeClaimCondition) string {
	for _, condition := range conditions {
		failed := condition.Type == corev1.PersistentVolumeClaimControllerResizeError || condition.Type == corev1.PersistentVolumeClaimNodeResizeError
		if failed && condition.Status == corev1.ConditionTrue {
			return words.Cut(condition.Message, longestWords)
		}
	}
	return ""
}

// longestWords is how much of what others say of a claim is kept, in bytes.
const longestWords = 512

// Waits reports whether a claim has no volume yet.
func (c *Claim) Waits() bool { return !c.Bound && !c.Lost && !c.Terminating }

// LastWords returns what the last of the events about a claim says.
func LastWords(about []eventsv1.Event) string {
	if len(about) == 0 {
		return ""
	}
	last := slices.MaxFunc(about, func(a, b eventsv1.Event) int { return events.LastSeen(&a).Compare(events.LastSeen(&b)) })
	return words.Cut(last.Note, longestWords)
}

// Settled returns the owner references of a claim with the owner's put on it or taken off,
// and the labels to change: those that it lacks, and nil for one that it shall not have. Any
// other label is left as it is.
func Settled(claim *corev1.PersistentVolumeClaim, labels map[string]string, owner metav1.OwnerReference, owned bool) ([]metav1.OwnerReference, map[string]any) {
	owners := claim.OwnerReferences
	if controller := metav1.GetControllerOfNoCopy(claim); !owned || controller == nil || controller.UID != owner.UID {
		owners = slices.DeleteFunc(slices.Clone(owners), func(reference metav1.OwnerReference) bool { return reference.UID == owner.UID })
		if owned {
			owners = append(owners, owner)
		}
	}
	changed := map[string]any{}
	for name, value := range labels {
		if claim.Labels[name] != value {
			changed[name] = value
		}
	}
	if claim.Labels[flamev1alpha1.LabelInstance] == labels[flamev1alpha1.LabelCluster] {
		changed[flamev1alpha1.LabelInstance] = nil
	}
	return owners, changed
}
