// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/naming"
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

const (
	// recent is how old an observation may be for its pods to be deleted by it.
	// Slow session managers are asked every half minute.
	recent = 75 * time.Second
	// flameRetryDelay is when to try again what Flame did not do.
	flameRetryDelay = 5 * time.Second
)

// hear has the session manager observed and takes in what it said last. One that
// was not ready a moment ago is asked at once.
func (p *pass) hear() error {
	ready := readySince(p.facts.SessionManager)
	if p.cluster.Spec.Suspend {
		p.Flame.Forget(p.name())
		return nil
	}
	p.facts.Flame = p.Flame.Latest(p.name())
	if ready.IsZero() && !p.facts.Flame.Known() {
		return nil // Not before it has been there.
	}
	host := naming.SessionManagerHost(p.cluster.Name, p.cluster.Namespace)
	err := p.Flame.Ensure(p.name(), flame.Target{
		UID:      string(p.cluster.UID),
		Frontend: net.JoinHostPort(host, strconv.Itoa(int(naming.FrontendPort))),
		Backend:  net.JoinHostPort(host, strconv.Itoa(int(naming.BackendPort))),
	})
	if err != nil {
		return err
	}
	if latest := p.facts.Flame; !ready.IsZero() && latest.Err != nil && latest.FailingSince.Before(ready) {
		p.Flame.Wake(p.name())
	}
	return nil
}

func (p *pass) name() types.NamespacedName { return client.ObjectKeyFromObject(p.cluster) }

// isRecent reports whether what Flame said last is of now, and of the session
// manager that runs now.
func (p *pass) isRecent() bool {
	latest := p.facts.Flame
	return latest.Fresh(p.facts.Now, recent) && latest.Observation.At.After(sessionManagerTimes(p.facts.SessionManager).started)
}

// ask has Flame do something to each of a list. What Flame refuses because it
// has changed meanwhile is decided anew; where it does not answer, the pass goes
// on without, and comes again.
func (p *pass) ask(ctx context.Context, what string, list []string, do func(context.Context, types.NamespacedName, string) error) {
	for _, item := range list {
		err := do(ctx, p.name(), item)
		if err == nil {
			continue
		}
		p.wait(flameRetryDelay)
		if refused(err) {
			continue
		}
		ctrl.LoggerFrom(ctx).Info("Flame did not do what was asked", "what", what, "of", item, "error", err.Error())
		return
	}
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
	return r.Pods.Hurry(ctx, name, map[string]string{
		flamev1alpha1.LabelCluster:   name.Name,
		flamev1alpha1.LabelComponent: flamev1alpha1.ComponentExecutorManager,
	}, r.Now())
}
