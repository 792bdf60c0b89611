// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/apply"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/storage"
	"github.com/xflops/flame-operator/internal/stored"
)

// claims are the claims that a cluster uses, as they are.
type claims struct {
	wanted []storage.Wanted
	// objects are what was read of each, and nil for a claim that does not exist.
	objects []*corev1.PersistentVolumeClaim
	// report is what came of looking at them.
	report report
}

// foreign returns an error about the first claim that a component would mount and that
// belongs to somebody else.
func (c claims) foreign(component string) error {
	for i := range c.wanted {
		if c.wanted[i].Component == component && c.wanted[i].IsForeign() {
			return &apply.NotOwnedError{Kind: "PersistentVolumeClaim", Name: c.wanted[i].Name, Owner: c.wanted[i].Claim.Owner}
		}
	}
	return nil
}

// keepClaims looks at the claims that a cluster uses, and sees to it that the session
// manager's goes with the cluster or stays. The claims come first in a pass and need no
// valid spec: the cluster may be deleted at any time, and then what the spec says of its
// claims holds, whatever else is wrong.
func (p *pass) keepClaims(ctx context.Context) claims {
	settled := classify(flamev1alpha1.ComponentSessionManager, p.settleOwnClaim(ctx, desired.OwnsClaim(p.cluster)))
	return p.lookAtClaims(ctx, settled)
}

// lookAtClaims reads the claims that a cluster uses, and adds what comes of that to what
// was reported of them before.
func (p *pass) lookAtClaims(ctx context.Context, before report) claims {
	c := claims{wanted: desired.Claims(p.cluster), report: before}
	c.objects = make([]*corev1.PersistentVolumeClaim, len(c.wanted))
	for i := range c.wanted {
		looked, err := p.lookAtClaim(ctx, &c.wanted[i])
		c.objects[i] = looked
		if err == nil && looked != nil && c.wanted[i].Component == flamev1alpha1.ComponentObjectCache && c.wanted[i].Claim.Ours {
			err = p.settleClaim(ctx, looked, flamev1alpha1.ComponentObjectCache, false)
		}
		c.report = c.report.join(classify(c.wanted[i].Component, err))
		if !c.wanted[i].IsWatched() {
			c.report = c.report.join(after(missingReferenceDelay))
		}
	}
	return c
}

// lookAtClaim reads a claim and, while it waits, what is said of that.
func (p *pass) lookAtClaim(ctx context.Context, wanted *storage.Wanted) (*corev1.PersistentVolumeClaim, error) {
	object, err := p.claim(ctx, wanted.Name, p.r.Client, p.r.Live)
	if err != nil || object == nil {
		return nil, err
	}
	wanted.Claim = p.readClaim(object)
	if !wanted.Claim.Waits() {
		return object, nil
	}
	if last := p.memory.waits[wanted.Name]; p.now.Sub(last.at) < inquiryDelay {
		wanted.Waits = last.words
		return object, nil
	}
	wanted.Waits = storage.LastWords(p.eventsAbout(ctx, object.UID))
	p.memory.waits[wanted.Name] = wait{at: p.now, words: wanted.Waits}
	return object, nil
}

// wait is what was said last of a claim that waits for its volume.
type wait struct {
	at    time.Time
	words string
}

// claim reads a claim from the first reader that has it, and returns nil if none does. The
// cache has only those that carry the operator's label.
func (p *pass) claim(ctx context.Context, name string, readers ...client.Reader) (*corev1.PersistentVolumeClaim, error) {
	for _, reader := range readers {
		object := &corev1.PersistentVolumeClaim{}
		err := reader.Get(ctx, client.ObjectKey{Namespace: p.cluster.Namespace, Name: name}, object)
		if err == nil {
			return object, nil
		}
		if !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("get PersistentVolumeClaim %q: %w", name, err)
		}
	}
	return nil, nil
}

// settleOwnClaim puts the cluster's owner on the claim that it made for the session
// manager, or takes it off.
func (p *pass) settleOwnClaim(ctx context.Context, owned bool) error {
	object, err := p.claim(ctx, naming.SessionManager(p.cluster.Name), p.r.Client)
	if err != nil || object == nil || !p.readClaim(object).Ours {
		return err
	}
	return p.settleClaim(ctx, object, flamev1alpha1.ComponentSessionManager, owned)
}

// settleClaim gives a claim its owner and its labels. Both are written for themselves, so
// that nothing else about the claim holds them up.
func (p *pass) settleClaim(ctx context.Context, object *corev1.PersistentVolumeClaim, component string, owned bool) error {
	owners, labels := storage.Settled(object, naming.ClaimLabels(p.cluster.Name, component), desired.Owner(p.cluster), owned)
	if len(labels) == 0 && equality.Semantic.DeepEqual(owners, object.OwnerReferences) {
		return nil
	}
	err := apply.Patch(ctx, p.r.Client, object, map[string]any{"ownerReferences": owners, "labels": labels}, nil)
	if err != nil {
		return fmt.Errorf("set the owner of PersistentVolumeClaim %q: %w", object.Name, err)
	}
	return nil
}

func (p *pass) readClaim(object *corev1.PersistentVolumeClaim) *storage.Claim {
	return storage.Of(object, p.cluster.Name, p.cluster.UID)
}

// letGo takes the owner off the claim of a cluster that is being deleted, if the claim is
// to stay. Nothing is known of a cluster that is gone.
func (r *FlameClusterReconciler) letGo(ctx context.Context, object *unstructured.Unstructured) error {
	if object.GetDeletionTimestamp() == nil {
		return nil
	}
	cluster, _, err := stored.Read(object)
	if err != nil || desired.OwnsClaim(cluster) {
		return err
	}
	return (&pass{r: r, cluster: cluster}).settleOwnClaim(ctx, false)
}

// applyClaims makes the session manager's claim, and has claims grow. What refuses that is
// told with the claims, and holds nothing up. The StatefulSet makes the claims of the
// object cache.
func (p *pass) applyClaims(ctx context.Context, c claims, wanted *desired.Objects) (claims, report) {
	var all report
	for i := range c.wanted {
		claim := &c.wanted[i]
		var err error
		switch {
		case claim.Claim == nil && claim.Field == storage.FieldTemplate:
			err = p.makeClaim(ctx, wanted.SessionManagerClaim)
		case claim.Grows():
			err = p.growClaim(ctx, c.objects[i], claim)
		}
		refused := apply.Refused(err)
		if refused != nil {
			claim.Refused = refused.By + ": " + refused.Why
		}
		if refused != nil && claim.Claim != nil {
			all = all.join(after(refusedDelay))
			continue
		}
		all = all.join(classify(claim.Component, err))
	}
	return c, all
}

// makeClaim creates a claim. One that is there after all is looked at in the next pass.
func (p *pass) makeClaim(ctx context.Context, wanted *corev1.PersistentVolumeClaim) error {
	err := p.r.Create(ctx, wanted.DeepCopy(), client.FieldOwner(apply.FieldManager))
	if err != nil && (!apierrors.IsAlreadyExists(err) || apply.Refused(err) != nil) {
		return fmt.Errorf("create PersistentVolumeClaim %q: %w", wanted.Name, err)
	}
	return nil
}

func (p *pass) growClaim(ctx context.Context, object *corev1.PersistentVolumeClaim, wanted *storage.Wanted) error {
	size := wanted.Template.Resources.Requests.Storage().String()
	requests := map[string]any{string(corev1.ResourceStorage): size}
	err := apply.Patch(ctx, p.r.Client, object, nil, map[string]any{"resources": map[string]any{"requests": requests}})
	if err != nil {
		return fmt.Errorf("have PersistentVolumeClaim %q grow to %s: %w", wanted.Name, size, err)
	}
	return nil
}
