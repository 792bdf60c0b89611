// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame"
	"github.com/xflops/flame-operator/internal/flame/action"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/pods"
)

// Flame is what a pass asks of session managers: what they said last, which
// takes no time, and a few small changes, each bounded by some seconds.
type Flame interface {
	Ensure(name types.NamespacedName, target flame.Target) error
	Forget(name types.NamespacedName)
	Latest(name types.NamespacedName) observation.Latest
	Wake(name types.NamespacedName)
	SetInterval(name types.NamespacedName, interval time.Duration)

	Do(ctx context.Context, name types.NamespacedName, a action.Action) error
}

var _ Flame = (*flame.Observers)(nil)

// flameRetryDelay is when to try again what Flame did not do.
const flameRetryDelay = 5 * time.Second

// setPollInterval has Flame observed closely while something is under way.
func (p *pass) setPollInterval(urgent bool) {
	interval := flame.Calm
	if urgent {
		interval = flame.Urgent
	}
	p.r.Flame.SetInterval(p.name(), interval)
}

// ask has Flame do what was decided. What it refuses because it has changed meanwhile is
// decided anew; where it does not answer, the pass goes on without the rest of that
// verb, and comes again.
func (p *pass) ask(ctx context.Context, actions []action.Action) report {
	var asked report
	silent := map[action.Verb]bool{}
	for _, a := range actions {
		if silent[a.Verb] {
			continue
		}
		err := p.askInTime(ctx, a)
		if err == nil {
			continue
		}
		asked = after(flameRetryDelay)
		if !errors.Is(err, flame.ErrRefused) {
			silent[a.Verb] = true
			ctrl.LoggerFrom(ctx).Info("Flame did not do what was asked", "verb", a.Verb, "of", a.Target, "error", err.Error())
		}
	}
	return asked
}

// askInTime asks for what is safe for a time only within that time.
func (p *pass) askInTime(ctx context.Context, a action.Action) error {
	if a.Within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.Within-p.r.Now().Sub(p.now))
		defer cancel()
	}
	return p.r.Flame.Do(ctx, p.name(), a)
}

// hurryUp cuts the time short that executor managers of a deleted cluster would
// take to end their tasks.
func (r *FlameClusterReconciler) hurryUp(ctx context.Context, name types.NamespacedName) error {
	// A cache that lags must not end the work of a cluster that is there.
	cluster := metadataOf(name)
	if err := r.Live.Get(ctx, name, cluster); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("get FlameCluster %q: %w", name.Name, err)
	} else if err == nil && (cluster.DeletionTimestamp.IsZero() || slices.Contains(cluster.Finalizers, metav1.FinalizerOrphanDependents)) {
		return nil
	}
	return pods.Hurry(ctx, r.Client, name, map[string]string{
		flamev1alpha1.LabelCluster:   name.Name,
		flamev1alpha1.LabelComponent: flamev1alpha1.ComponentExecutorManager,
	}, r.Now())
}
