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

// Flame is what a pass asks of session managers: their last answers, which cost no time,
// and a few small changes, each bounded by some seconds.
type Flame interface {
	Ensure(name types.NamespacedName, target flame.Target) error
	Forget(name types.NamespacedName)
	Latest(name types.NamespacedName) observation.Latest
	Wake(name types.NamespacedName)
	SetInterval(name types.NamespacedName, interval time.Duration)

	Do(ctx context.Context, name types.NamespacedName, a action.Action) error
}

var _ Flame = (*flame.Observers)(nil)

// flameRetryDelay is the time until the operator asks again for an action that Flame did
// not carry out.
const flameRetryDelay = 5 * time.Second

// setPollInterval has Flame observed closely while something is under way.
func (p *pass) setPollInterval(urgent bool) {
	interval := flame.Calm
	if urgent {
		interval = flame.Urgent
	}
	p.r.Flame.SetInterval(p.name(), interval)
}

// ask has Flame carry out the actions. An action that Flame refuses, because its state
// has changed in the meantime, is decided anew. After an action that Flame does not
// answer, the pass skips the remaining actions of the same verb and runs again.
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

// askInTime asks for one action. An action that is safe only for a limited time is
// abandoned when that time is over.
func (p *pass) askInTime(ctx context.Context, a action.Action) error {
	if a.Within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.Within-p.r.Now().Sub(p.now))
		defer cancel()
	}
	return p.r.Flame.Do(ctx, p.name(), a)
}

// hurryUp shortens the time that the executor managers of a deleted cluster would take to
// end their tasks.
func (r *FlameClusterReconciler) hurryUp(ctx context.Context, name types.NamespacedName) error {
	// A cache that lags must not end the work of a cluster that exists.
	cluster := metadataOf(name)
	if err := r.Live.Get(ctx, name, cluster); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("get FlameCluster %q: %w", name.Name, err)
	} else if err == nil && (cluster.DeletionTimestamp.IsZero() || slices.Contains(cluster.Finalizers, metav1.FinalizerOrphanDependents)) {
		return nil
	}
	return pods.Hurry(ctx, r.Client, r.Live, name, map[string]string{
		flamev1alpha1.LabelCluster:   name.Name,
		flamev1alpha1.LabelComponent: flamev1alpha1.ComponentExecutorManager,
	}, r.Now())
}
