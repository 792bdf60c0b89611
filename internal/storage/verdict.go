// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/words"
)

// The fields of a spec that ask for claims.
const (
	FieldTemplate      = "sessionManager.storage.volumeClaimTemplate"
	FieldExisting      = "sessionManager.storage.existingClaim"
	FieldCacheTemplate = "objectCache.storage.volumeClaimTemplate"
)

// Wanted is a claim that a cluster uses, beside what the claim is.
type Wanted struct {
	// Name is that of the claim, Field is the field of the spec that asks for it, and
	// Component is the component whose pod mounts it.
	Name, Field, Component string
	// Template is what the claim is made from, and nil for a claim that the cluster uses
	// and does not make.
	Template *corev1.PersistentVolumeClaimSpec
	// Claim is nil while there is none.
	Claim *Claim
	// Refused has the words of whoever refuses to make the claim or to have it grow, and
	// Waits those of the class or the provisioner about the volume.
	Refused, Waits string
}

// Verdict is what is to be said of a claim.
type Verdict struct {
	OK              bool
	Reason, Message string
}

// gravity orders the reasons: the gravest is told first.
var gravity = []string{
	flamev1alpha1.ReasonClaimLost, flamev1alpha1.ReasonWaitingForReference, flamev1alpha1.ReasonTerminating, flamev1alpha1.ReasonRefused,
	flamev1alpha1.ReasonUnbound, flamev1alpha1.ReasonCannotGrow, flamev1alpha1.ReasonCannotChange,
	flamev1alpha1.ReasonGrowing, flamev1alpha1.ReasonLarger, flamev1alpha1.ReasonBound,
}

// longestMessage bounds what is said of all claims, in bytes.
const longestMessage = 1024

// Judge says of all claims of a cluster what is to be said first, and of those about which
// something is wrong everything. There has to be a claim.
func Judge(claims []Wanted) Verdict {
	all := make([]Verdict, len(claims))
	for i := range claims {
		all[i] = claims[i].judge()
	}
	slices.SortStableFunc(all, func(a, b Verdict) int {
		return slices.Index(gravity, a.Reason) - slices.Index(gravity, b.Reason)
	})
	worst := all[0]
	for _, next := range all[1:] {
		if !next.OK {
			worst.Message += "; " + next.Message
		}
	}
	worst.Message = words.Cut(worst.Message, longestMessage)
	return worst
}

func (w Wanted) judge() Verdict {
	switch c := w.Claim; {
	case c == nil && w.Template == nil:
		return w.says(flamev1alpha1.ReasonWaitingForReference, "does not exist, and %s names it", w.Field)
	case c == nil && w.Refused != "":
		return w.says(flamev1alpha1.ReasonRefused, "cannot be made: %s", w.Refused)
	case c == nil:
		return w.says(flamev1alpha1.ReasonUnbound, "does not exist yet")
	case w.IsForeign():
		return w.says(flamev1alpha1.ReasonWaitingForReference, "%s, and is left alone: delete it, or choose another name for the FlameCluster%s", w.belongs(), w.orExisting())
	case c.Terminating:
		return w.says(flamev1alpha1.ReasonTerminating, "is being deleted, and goes with all that it holds when the %s's pod does: "+
			"copy what is needed and delete the pod, which no planned replacement does meanwhile", strings.ReplaceAll(w.Component, "-", " "))
	case c.Lost:
		return w.says(flamev1alpha1.ReasonClaimLost, "has lost its volume")
	case !c.Bound:
		return w.says(flamev1alpha1.ReasonUnbound, "waits for its volume%s%s", after(": ", w.Waits), after("; ", w.resizeWhileUnbound()))
	}
	return w.judgeBound()
}

// judgeBound says how the volume of a claim compares with what the template asks for.
func (w Wanted) judgeBound() Verdict {
	if w.Template == nil {
		return w.says(flamev1alpha1.ReasonBound, "is bound")
	}
	asks, asked, has := w.Template.Resources.Requests.Storage(), w.Claim.Asked, w.Claim.Has
	goal := asked
	if asks.Cmp(goal) > 0 {
		goal = *asks
	}
	trouble := w.Refused
	if trouble == "" {
		trouble = w.Claim.CannotGrow
	}
	switch differences := w.differences(); {
	case trouble != "" && has.Cmp(goal) < 0:
		return w.says(flamev1alpha1.ReasonCannotGrow, "has %s and cannot grow to %s: %s", &has, &goal, trouble)
	case len(differences) > 0:
		return w.says(flamev1alpha1.ReasonCannotChange, "stays as it is: %s", strings.Join(differences, "; "))
	case has.Cmp(goal) < 0:
		return w.says(flamev1alpha1.ReasonGrowing, "grows from %s to %s", &has, &goal)
	case asked.Cmp(*asks) > 0:
		return w.says(flamev1alpha1.ReasonLarger, "asks for %s, more than the %s of %s, and is used as it is", &asked, asks, w.Field)
	}
	return w.says(flamev1alpha1.ReasonBound, "is bound")
}

// IsForeign reports whether a claim that would have to be made is there and is somebody
// else's.
func (w Wanted) IsForeign() bool { return w.Template != nil && w.Claim != nil && !w.Claim.Ours }

// Grows reports whether a claim has to be told of a larger size. A claim that waits for its
// volume cannot be changed, and one that is to go does not matter.
func (w Wanted) Grows() bool {
	return w.Template != nil && w.Claim != nil && w.Claim.Ours && w.Claim.Bound && !w.Claim.Terminating &&
		w.Claim.Asked.Cmp(*w.Template.Resources.Requests.Storage()) < 0
}

// Holds reports whether any claim that a component mounts goes with the component's pod, so
// that a planned replacement would lose what the claim holds.
func Holds(claims []Wanted, component string) bool {
	return slices.ContainsFunc(claims, func(w Wanted) bool {
		return w.Component == component && w.Claim != nil && w.Claim.Terminating
	})
}

// IsWatched reports whether the operator is woken when there is something else to be said
// of the claim. Nothing tells it of claims without its mark, and of events about a claim
// that waits.
func (w Wanted) IsWatched() bool {
	return w.Template != nil && (w.Claim == nil || w.Claim.Ours && !w.Claim.Waits())
}

func (w Wanted) belongs() string {
	if w.Claim.Owner != "" {
		return "belongs to " + w.Claim.Owner
	}
	return "was not made by the operator"
}

// orExisting names the way to use a claim of one's own, where there is one.
func (w Wanted) orExisting() string {
	if w.Field == FieldTemplate {
		return ", or name it in " + FieldExisting
	}
	return ""
}

// resizeWhileUnbound says what becomes of another size that is asked for too early.
func (w Wanted) resizeWhileUnbound() string {
	if w.Template == nil {
		return ""
	}
	asks := w.Template.Resources.Requests.Storage()
	if asks.IsZero() || asks.Cmp(w.Claim.Asked) == 0 {
		return ""
	}
	return fmt.Sprintf("it asks for %s and cannot be changed before it is bound: delete it, and it is made again with the %s that %s asks for",
		&w.Claim.Asked, asks, w.Field)
}

// differences lists what the template asks for and the claim cannot become.
func (w Wanted) differences() []string {
	var list []string
	if class := w.Template.StorageClassName; class != nil && w.Claim.Class != nil && *class != *w.Claim.Class {
		list = append(list, fmt.Sprintf("%s.storageClassName is %q, and its class %q cannot be changed", w.Field, *class, *w.Claim.Class))
	}
	if modes := AccessModes(w.Template); !slices.Equal(modes, w.Claim.Modes) {
		list = append(list, fmt.Sprintf("%s.accessModes is %v, and its %v cannot be changed", w.Field, modes, w.Claim.Modes))
	}
	return list
}

func (w Wanted) says(reason, format string, args ...any) Verdict {
	ok := slices.Index(gravity, reason) >= slices.Index(gravity, flamev1alpha1.ReasonGrowing)
	return Verdict{OK: ok, Reason: reason, Message: fmt.Sprintf("the claim %q ", w.Name) + fmt.Sprintf(format, args...)}
}

func after(separator, text string) string {
	if text == "" {
		return ""
	}
	return separator + words.Cut(text, longestWords)
}

// AccessModes returns the access modes of a claim: one node at a time by default.
func AccessModes(claim *corev1.PersistentVolumeClaimSpec) []corev1.PersistentVolumeAccessMode {
	if len(claim.AccessModes) == 0 {
		return []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	}
	return claim.AccessModes
}
