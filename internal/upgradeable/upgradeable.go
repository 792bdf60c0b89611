// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package upgradeable tells the Operator Lifecycle Manager when the operator had
// better not be replaced.
//
// That is only so while a session manager is being replaced: between its
// withdrawal and its successor a cluster waits for the operator's next step.
// Everything else survives an operator's restart.
//
// A cluster is not waited for without end. On a node that is lost a pod stays for
// as long as the node does, and one cluster of one tenant would keep the operator
// of all from being updated.
package upgradeable

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	operatorsv2 "github.com/operator-framework/api/pkg/operators/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// settle is the time that the first passes get before it is said that nothing
	// is under way: what an operator before this one began may still go on.
	settle = 5 * time.Second
	// retry is the time between two tries to write the condition.
	retry = 15 * time.Second
	// pace is the least time between two conditions that differ in words only, so
	// that many clusters that are changed at once do not wake OLM each.
	pace = 5 * time.Second
)

// Gate keeps the condition Upgradeable of an OperatorCondition. A nil Gate is one
// that nobody asks.
type Gate struct {
	reader    client.Reader
	writer    client.Writer
	condition types.NamespacedName
	clock     clock.Clock
	log       logr.Logger

	changed chan struct{}
	mu      sync.Mutex
	// since holds the clusters whose session manager is being replaced, and when
	// that began.
	since map[types.NamespacedName]time.Time

	// Only Start uses these: when it began, what it wrote last and when, and whether
	// that failed.
	started time.Time
	told    metav1.ConditionStatus
	toldAt  time.Time
	failing bool
}

// New returns a gate that keeps the condition of the given OperatorCondition. The
// reader must not be a cache: the operator may get the object, but not watch it.
func New(reader client.Reader, writer client.Writer, condition types.NamespacedName, clk clock.Clock, log logr.Logger) *Gate {
	return &Gate{
		reader: reader, writer: writer, condition: condition, clock: clk, log: log,
		changed: make(chan struct{}, 1), since: map[types.NamespacedName]time.Time{},
	}
}

// Replacing notes that the session manager of a cluster is being replaced, and
// since when. Whoever does not know that leaves it zero, and then it is since now.
// What is known of the same replacement already stays.
func (g *Gate) Replacing(cluster types.NamespacedName, since time.Time) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.since[cluster]; known {
		return
	}
	// A clock that is ahead must not have us wait for longer.
	if now := g.clock.Now(); since.IsZero() || since.After(now) {
		since = now
	}
	g.since[cluster] = since
	g.wake()
}

// Done notes that the session manager of a cluster is not being replaced, or that
// there is no such cluster. The next replacement counts anew.
func (g *Gate) Done(cluster types.NamespacedName) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.since[cluster]; known {
		delete(g.since, cluster)
		g.wake()
	}
}

func (g *Gate) wake() {
	select {
	case g.changed <- struct{}{}:
	default: // It is looked at already.
	}
}

// NeedLeaderElection has only the manager that acts write the condition.
func (*Gate) NeedLeaderElection() bool { return true }

// Start writes the condition whenever it changes, until the context ends.
func (g *Gate) Start(ctx context.Context) error {
	g.started = g.clock.Now()
	for wait := settle; g.sleep(ctx, wait); {
		wait = g.step(ctx)
	}
	return nil
}

// sleep waits for a change, at most for a while if that is not zero. It returns
// false once the context has ended.
func (g *Gate) sleep(ctx context.Context, wait time.Duration) bool {
	var over <-chan time.Time
	if wait > 0 {
		timer := g.clock.NewTimer(wait)
		defer timer.Stop()
		over = timer.C()
	}
	select {
	case <-ctx.Done():
		return false
	case <-g.changed:
	case <-over:
	}
	return true
}

// step writes the condition if it is time to, and returns when to look again; zero
// if nothing but a change makes a difference.
func (g *Gate) step(ctx context.Context) time.Duration {
	now := g.clock.Now()
	want, next := g.wanted(now)
	if rest := g.rest(want.Status, now); rest > 0 {
		return sooner(rest, next)
	}
	err := g.write(ctx, want)
	if err != nil {
		if !g.failing && ctx.Err() == nil {
			g.tell(err)
		}
		g.failing = true
		return retry
	}
	g.told, g.toldAt, g.failing = want.Status, now, false
	return next
}

// wanted returns the condition as it should be, and for how long it stays so.
func (g *Gate) wanted(now time.Time) (metav1.Condition, time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return judge(g.since, now)
}

// rest returns for how long a condition is not to be written yet.
func (g *Gate) rest(status metav1.ConditionStatus, now time.Time) time.Duration {
	switch {
	case status == g.told:
		return g.toldAt.Add(pace).Sub(now)
	case status == metav1.ConditionTrue:
		return g.started.Add(settle).Sub(now)
	default:
		return 0
	}
}

// tell says that the condition is not there or not writable. Nothing else depends
// on it.
func (g *Gate) tell(err error) {
	if apierrors.IsNotFound(err) || apimeta.IsNoMatchError(err) || apierrors.IsForbidden(err) {
		g.log.Info("no OperatorCondition to keep; looking for it again and again", "reason", err.Error())
		return
	}
	g.log.Error(err, "the OperatorCondition is not up to date; trying again")
}

// write brings the condition to what it should be.
func (g *Gate) write(ctx context.Context, want metav1.Condition) error {
	object := &operatorsv2.OperatorCondition{}
	if err := g.reader.Get(ctx, g.condition, object); err != nil {
		return fmt.Errorf("get OperatorCondition %q: %w", g.condition.Name, err)
	}
	if !apimeta.SetStatusCondition(&object.Spec.Conditions, want) {
		return nil
	}
	// An update, not a patch: OLM writes the same object.
	if err := g.writer.Update(ctx, object); err != nil {
		return fmt.Errorf("update OperatorCondition %q: %w", g.condition.Name, err)
	}
	return nil
}
