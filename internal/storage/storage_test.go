// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
)

func size(text string) corev1.VolumeResourceRequirements {
	return corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(text)}}
}

// bound is the claim of a cluster c, whose volume is as large as was asked for.
func bound(changes ...func(*corev1.PersistentVolumeClaim)) *corev1.PersistentVolumeClaim {
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Labels: naming.ClaimLabels("c", flamev1alpha1.ComponentSessionManager)},
		Spec: corev1.PersistentVolumeClaimSpec{
			Resources: size("2Gi"), StorageClassName: ptr.To("fast"), AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		},
		Status: corev1.PersistentVolumeClaimStatus{
			Phase: corev1.ClaimBound, Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("2Gi")},
		},
	}
	for _, change := range changes {
		change(claim)
	}
	return claim
}

func unbound(claim *corev1.PersistentVolumeClaim) {
	claim.Status = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}
}

func unmarked(claim *corev1.PersistentVolumeClaim) { claim.Labels = nil }

func ownedBy(kind, name string, claim *corev1.PersistentVolumeClaim) {
	claim.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: name, UID: "another uid", Controller: ptr.To(true)}}
}

func TestEveryStateOfAClaimHasItsWords(t *testing.T) {
	const name = `the claim "c-session-manager" `
	template := func(text string) *corev1.PersistentVolumeClaimSpec {
		return &corev1.PersistentVolumeClaimSpec{Resources: size(text)}
	}
	for what, test := range map[string]struct {
		claim    *corev1.PersistentVolumeClaim
		template *corev1.PersistentVolumeClaimSpec
		refused  string
		waits    string
		want     Verdict
	}{
		"a claim that is bound": {
			claim: bound(), template: template("2Gi"),
			want: Verdict{true, flamev1alpha1.ReasonBound, "is bound"},
		},
		"the same size in other words": {
			claim: bound(), template: template("2048Mi"),
			want: Verdict{true, flamev1alpha1.ReasonBound, "is bound"},
		},
		"a claim of one's own": {
			claim: bound(unmarked),
			want:  Verdict{true, flamev1alpha1.ReasonBound, "is bound"},
		},
		"a claim of one's own that is missing": {
			want: Verdict{false, flamev1alpha1.ReasonWaitingForReference, "does not exist, and sessionManager.storage.existingClaim names it"},
		},
		"a claim that is about to be made": {
			template: template("2Gi"),
			want:     Verdict{false, flamev1alpha1.ReasonUnbound, "does not exist yet"},
		},
		"a claim that may not be made": {
			template: template("2Gi"), refused: `the ResourceQuota "few": too much`,
			want: Verdict{false, flamev1alpha1.ReasonRefused, `cannot be made: the ResourceQuota "few": too much`},
		},
		"a claim whose class does not exist": {
			claim: bound(unbound), template: template("2Gi"), waits: `storageclass.storage.k8s.io "fast" not found`,
			want: Verdict{false, flamev1alpha1.ReasonUnbound, `waits for its volume: storageclass.storage.k8s.io "fast" not found`},
		},
		"a claim that waits, and is asked for another size": {
			claim: bound(unbound), template: template("1Gi"),
			want: Verdict{false, flamev1alpha1.ReasonUnbound, "waits for its volume; it asks for 2Gi and cannot be changed before it is bound: " +
				"delete it, and it is made again with the 1Gi that sessionManager.storage.volumeClaimTemplate asks for"},
		},
		"a claim that is told to grow": {
			claim: bound(), template: template("3Gi"),
			want: Verdict{true, flamev1alpha1.ReasonGrowing, "grows from 2Gi to 3Gi"},
		},
		"a claim that may not grow": {
			claim: bound(), template: template("3Gi"), refused: "the API server: no",
			want: Verdict{false, flamev1alpha1.ReasonCannotGrow, "has 2Gi and cannot grow to 3Gi: the API server: no"},
		},
		"a claim whose driver fails to enlarge it": {
			claim: bound(func(c *corev1.PersistentVolumeClaim) {
				c.Spec.Resources = size("3Gi")
				c.Status.Conditions = []corev1.PersistentVolumeClaimCondition{{
					Type: corev1.PersistentVolumeClaimControllerResizeError, Status: corev1.ConditionTrue, Message: "out of space",
				}}
			}), template: template("3Gi"),
			want: Verdict{false, flamev1alpha1.ReasonCannotGrow, "has 2Gi and cannot grow to 3Gi: out of space"},
		},
		"a claim that somebody else has grown": {
			claim: bound(), template: template("1Gi"),
			want: Verdict{true, flamev1alpha1.ReasonLarger, "asks for 2Gi, more than the 1Gi of sessionManager.storage.volumeClaimTemplate, and is used as it is"},
		},
		"a claim of another class": {
			claim: bound(), template: &corev1.PersistentVolumeClaimSpec{Resources: size("2Gi"), StorageClassName: ptr.To("slow")},
			want: Verdict{false, flamev1alpha1.ReasonCannotChange,
				`stays as it is: sessionManager.storage.volumeClaimTemplate.storageClassName is "slow", and its class "fast" cannot be changed`},
		},
		"a claim of another mode": {
			claim:    bound(),
			template: &corev1.PersistentVolumeClaimSpec{Resources: size("2Gi"), AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}},
			want: Verdict{false, flamev1alpha1.ReasonCannotChange,
				`stays as it is: sessionManager.storage.volumeClaimTemplate.accessModes is [ReadWriteMany], and its [ReadWriteOnce] cannot be changed`},
		},
		"a claim that was deleted while it is in use": {
			claim: bound(func(c *corev1.PersistentVolumeClaim) { c.DeletionTimestamp = &metav1.Time{} }), template: template("2Gi"),
			want: Verdict{false, flamev1alpha1.ReasonTerminating, "is being deleted, and goes with all that it holds when the session manager's pod does: " +
				"copy what is needed and delete the pod, which no planned replacement does meanwhile"},
		},
		"a claim whose volume is gone": {
			claim: bound(func(c *corev1.PersistentVolumeClaim) { c.Status.Phase = corev1.ClaimLost }), template: template("2Gi"),
			want: Verdict{false, flamev1alpha1.ReasonClaimLost, "has lost its volume"},
		},
		"a claim without the operator's mark": {
			claim: bound(unmarked), template: template("2Gi"),
			want: Verdict{false, flamev1alpha1.ReasonWaitingForReference, "was not made by the operator, and is left alone: delete it, " +
				"or choose another name for the FlameCluster, or name it in sessionManager.storage.existingClaim"},
		},
		"a claim of another owner": {
			claim: bound(func(c *corev1.PersistentVolumeClaim) { ownedBy("Thing", "t", c) }), template: template("2Gi"),
			want: Verdict{false, flamev1alpha1.ReasonWaitingForReference, `belongs to Thing "t", and is left alone: delete it, ` +
				"or choose another name for the FlameCluster, or name it in sessionManager.storage.existingClaim"},
		},
	} {
		t.Run(what, func(t *testing.T) {
			wanted := Wanted{
				Name: "c-session-manager", Field: FieldTemplate, Component: flamev1alpha1.ComponentSessionManager,
				Template: test.template, Refused: test.refused, Waits: test.waits,
			}
			if test.template == nil {
				wanted.Field = FieldExisting
			}
			if test.claim != nil {
				wanted.Claim = Of(test.claim, "c", "uid of c")
			}
			test.want.Message = name + test.want.Message
			assert.Equal(t, test.want, Judge([]Wanted{wanted}))
		})
	}
}

func TestTheGravestIsSaidFirstAndNothingWrongIsLeftOut(t *testing.T) {
	wanted := func(name string, changes ...func(*corev1.PersistentVolumeClaim)) Wanted {
		return Wanted{Name: name, Field: FieldCacheTemplate, Template: &bound().Spec, Claim: Of(bound(changes...), "c", "uid of c")}
	}
	deleted := func(c *corev1.PersistentVolumeClaim) { c.DeletionTimestamp = &metav1.Time{} }
	all := Judge([]Wanted{wanted("fine"), wanted("waits", unbound), wanted("goes", deleted)})
	assert.Equal(t, flamev1alpha1.ReasonTerminating, all.Reason)
	assert.Contains(t, all.Message, `the claim "goes" is being deleted`)
	assert.Contains(t, all.Message, `; the claim "waits" waits for its volume`)
	assert.NotContains(t, all.Message, "fine")
	many := make([]Wanted, 17)
	for i := range many {
		many[i] = wanted("goes", deleted)
	}
	assert.Len(t, Judge(many).Message, 1024, "an event has no more room")
}

func TestAClaimIsOursByItsOwnerOrItsMark(t *testing.T) {
	for what, test := range map[string]struct {
		change func(*corev1.PersistentVolumeClaim)
		ours   bool
	}{
		"one that was retained": {func(*corev1.PersistentVolumeClaim) {}, true},
		"one that the cluster controls": {func(c *corev1.PersistentVolumeClaim) {
			ownedBy("FlameCluster", "c", c)
			c.OwnerReferences[0].UID = "uid of c"
		}, true},
		"the same without labels": {func(c *corev1.PersistentVolumeClaim) {
			ownedBy("FlameCluster", "c", c)
			c.OwnerReferences[0].UID = "uid of c"
			unmarked(c)
		}, true},
		"one of the cluster that had the name before": {func(c *corev1.PersistentVolumeClaim) { ownedBy("FlameCluster", "c", c) }, false},
		"one that the cache's StatefulSet controls":   {func(c *corev1.PersistentVolumeClaim) { ownedBy("StatefulSet", "c-object-cache", c) }, true},
		"one of another StatefulSet":                  {func(c *corev1.PersistentVolumeClaim) { ownedBy("StatefulSet", "c-object-caches", c) }, false},
		"one of another cluster":                      {func(c *corev1.PersistentVolumeClaim) { c.Labels = naming.ClaimLabels("d", "") }, false},
		"one that nobody has marked":                  {unmarked, false},
	} {
		t.Run(what, func(t *testing.T) {
			assert.Equal(t, test.ours, Of(bound(test.change), "c", "uid of c").Ours)
		})
	}
}

func TestOnlyAClaimThatCanGrowIsToldTo(t *testing.T) {
	for what, test := range map[string]struct {
		change func(*corev1.PersistentVolumeClaim)
		grows  bool
	}{
		"a bound one":              {func(*corev1.PersistentVolumeClaim) {}, true},
		"not one that waits":       {unbound, false},
		"not one that goes":        {func(c *corev1.PersistentVolumeClaim) { c.DeletionTimestamp = &metav1.Time{} }, false},
		"not somebody else's":      {unmarked, false},
		"not one that was told":    {func(c *corev1.PersistentVolumeClaim) { c.Spec.Resources = size("3Gi") }, false},
		"not one that is larger":   {func(c *corev1.PersistentVolumeClaim) { c.Spec.Resources = size("4Gi") }, false},
		"one that grew part of it": {func(c *corev1.PersistentVolumeClaim) { c.Spec.Resources = size("2.5Gi") }, true},
	} {
		t.Run(what, func(t *testing.T) {
			wanted := Wanted{Template: &corev1.PersistentVolumeClaimSpec{Resources: size("3Gi")}, Claim: Of(bound(test.change), "c", "uid of c")}
			assert.Equal(t, test.grows, wanted.Grows())
		})
	}
	assert.False(t, Wanted{Claim: Of(bound(), "c", "uid of c")}.Grows(), "nor one of the user's own")
	assert.False(t, Wanted{Template: &corev1.PersistentVolumeClaimSpec{Resources: size("3Gi")}}.Grows(), "nor one that is not there")
}

func TestOnlyTheComponentThatMountsAClaimIsHeldByIt(t *testing.T) {
	goes := Wanted{Component: flamev1alpha1.ComponentObjectCache, Claim: Of(bound(func(c *corev1.PersistentVolumeClaim) { c.DeletionTimestamp = &metav1.Time{} }), "c", "uid of c")}
	stays := Wanted{Component: flamev1alpha1.ComponentSessionManager, Claim: Of(bound(), "c", "uid of c")}
	missing := Wanted{Component: flamev1alpha1.ComponentSessionManager}
	claims := []Wanted{missing, stays, goes}
	assert.True(t, Holds(claims, flamev1alpha1.ComponentObjectCache))
	assert.False(t, Holds(claims, flamev1alpha1.ComponentSessionManager))
}

func TestAnOwnerComesAndGoesAndOthersStay(t *testing.T) {
	labels := naming.ClaimLabels("c", flamev1alpha1.ComponentSessionManager)
	mine := metav1.OwnerReference{Kind: "FlameCluster", Name: "c", UID: "uid of c", Controller: ptr.To(true)}
	other := metav1.OwnerReference{Kind: "Backup", Name: "b", UID: "uid of b"}
	settled := func(owned bool, before ...metav1.OwnerReference) []metav1.OwnerReference {
		owners, changed := Settled(bound(func(c *corev1.PersistentVolumeClaim) { c.OwnerReferences = before }), labels, mine, owned)
		assert.Empty(t, changed)
		return owners
	}
	assert.Equal(t, []metav1.OwnerReference{other, mine}, settled(true, other))
	assert.Equal(t, []metav1.OwnerReference{mine, other}, settled(true, mine, other), "nothing is to be written")
	assert.Equal(t, []metav1.OwnerReference{other}, settled(false, mine, other))
	assert.Empty(t, settled(false))
	blunt := mine
	blunt.Controller = nil
	assert.Equal(t, []metav1.OwnerReference{mine}, settled(true, blunt))
}

func TestALabelByWhichOthersWouldDeleteAClaimIsTakenOff(t *testing.T) {
	labels := naming.ClaimLabels("c", flamev1alpha1.ComponentSessionManager)
	changed := func(change func(map[string]string)) map[string]any {
		_, changed := Settled(bound(func(c *corev1.PersistentVolumeClaim) { change(c.Labels) }), labels, metav1.OwnerReference{UID: "uid of c"}, false)
		return changed
	}
	assert.NotContains(t, labels, flamev1alpha1.LabelInstance)
	assert.Equal(t, map[string]any{flamev1alpha1.LabelInstance: nil}, changed(func(l map[string]string) { l[flamev1alpha1.LabelInstance] = "c" }))
	assert.Empty(t, changed(func(l map[string]string) { l[flamev1alpha1.LabelInstance] = "the user's" }), "a user's own stays")
	assert.Empty(t, changed(func(l map[string]string) { l["team"] = "research" }))
	assert.Equal(t, map[string]any{flamev1alpha1.LabelPartOf: "flame"}, changed(func(l map[string]string) { delete(l, flamev1alpha1.LabelPartOf) }))
}

func TestTheLastWordsAboutAClaimCount(t *testing.T) {
	said := func(minute int, note string) eventsv1.Event {
		return eventsv1.Event{Note: note, EventTime: metav1.NewMicroTime(time.Date(2026, 5, 1, 12, minute, 0, 0, time.UTC))}
	}
	assert.Equal(t, "next", LastWords([]eventsv1.Event{said(2, "next"), said(1, "old")}))
	assert.Equal(t, "next", LastWords([]eventsv1.Event{said(1, "old"), said(2, "next")}))
	assert.Empty(t, LastWords(nil))
}
