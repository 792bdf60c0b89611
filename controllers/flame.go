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
	"github.com/xflops/flame-operator/internal/apply"
	"github.com/xflops/flame-operator/internal/flame"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// Flame is what a pass asks of session managers: what they said last, which
// takes no time, and a few small changes, each bounded by some seconds.
type Flame interface {
	Ensure(name types.NamespacedName, target flame.Target) error
	Forget(name types.NamespacedName)
	Latest(name types.NamespacedName) observation.Latest
	Wake(name types.NamespacedName)
	SetInterval(name types.NamespacedName, interval time.Duration)

	Fence(ctx context.Context, name types.NamespacedName, node string) error
	FenceSilent(ctx context.Context, name types.NamespacedName, node string) error
	Clear(ctx context.Context, name types.NamespacedName, node string) error
	Challenge(ctx context.Context, name types.NamespacedName, node string) error
	Release(ctx context.Context, name types.NamespacedName, node string) error
	Cordon(ctx context.Context, name types.NamespacedName, node string) error
	Resync(ctx context.Context, name types.NamespacedName, node string) error
	Unbind(ctx context.Context, name types.NamespacedName, executor string) error
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

// ask has Flame do something to each of a list. What Flame refuses because it
// has changed meanwhile is decided anew; where it does not answer, the pass goes
// on without, and comes again.
func (p *pass) ask(ctx context.Context, what string, list []string, do func(context.Context, types.NamespacedName, string) error) report {
	var asked report
	for _, item := range list {
		err := do(ctx, p.name(), item)
		if err == nil {
			continue
		}
		asked = after(flameRetryDelay)
		if refused(err) {
			continue
		}
		ctrl.LoggerFrom(ctx).Info("Flame did not do what was asked", "what", what, "of", item, "error", err.Error())
		break
	}
	return asked
}

// refused reports whether an error says that a look at Flame showed something
// else than what was decided from.
func refused(err error) bool {
	for _, reason := range []error{flame.ErrMayWait, flame.ErrHoldsExecutors, flame.ErrNotReady, flame.ErrNotGivenUp, flame.ErrConnected, flame.ErrNotFenced, flame.ErrNotObserved} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
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
	return apply.NewPods(r.Client, r.Live).Hurry(ctx, name, map[string]string{
		flamev1alpha1.LabelCluster:   name.Name,
		flamev1alpha1.LabelComponent: flamev1alpha1.ComponentExecutorManager,
	}, r.Now())
}
