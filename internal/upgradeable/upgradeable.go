// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package upgradeable tells the Operator Lifecycle Manager when the operator had
// better not be replaced.
//
// The operator had better stay while a session manager is being replaced: between its
// withdrawal and its successor a cluster waits for the operator's next step. Everything
// else survives an operator's restart.
//
// No cluster is waited for without end. On a node that is lost a pod stays for as long as
// the node does, and one cluster of one tenant would keep the operator of all from being
// updated.
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
	// settle is the time that the first passes get before the condition says that nothing
	// is under way, since what an earlier operator began may still go on.
	settle = 5 * time.Second
	// retry is the time between two tries to write the condition.
	retry = 15 * time.Second
	// pace is the least time between two conditions that differ in words only, so that many
	// clusters that change at once do not each wake OLM.
	pace = 5 * time.Second
)

// Condition keeps the condition Upgradeable of an OperatorCondition. On a nil Condition
// Replacing and Done do nothing.
type Condition struct {
	reader    client.Reader
	writer    client.Writer
	condition types.NamespacedName
	clock     clock.Clock
	log       logr.Logger

	changed chan struct{}
	mu      sync.Mutex
	// since holds the clusters whose session manager is being replaced, and when that
	// began.
	since map[types.NamespacedName]time.Time

	// Only Start uses these: when it began, what it wrote last and when, and whether that
	// failed.
	started time.Time
	told    metav1.ConditionStatus
	toldAt  time.Time
	failing bool
}

// New returns a Condition that keeps the given OperatorCondition. The reader must not be a
// cache, since the operator may get the object, but not watch it.
func New(reader client.Reader, writer client.Writer, condition types.NamespacedName, clk clock.Clock, log logr.Logger) *Condition {
	return &Condition{
		reader: reader, writer: writer, condition: condition, clock: clk, log: log,
		changed: make(chan struct{}, 1), since: map[types.NamespacedName]time.Time{},
	}
}

// Replacing notes that the session manager of a cluster is being replaced, and since when;
// zero is now. A replacement that is known already keeps its time.
func (c *Condition) Replacing(cluster types.NamespacedName, since time.Time) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.since[cluster]; known {
		return
	}
	// A clock that is ahead must not have us wait for longer.
	if now := c.clock.Now(); since.IsZero() || since.After(now) {
		since = now
	}
	c.since[cluster] = since
	c.wake()
}

// Done notes that the session manager of a cluster is not being replaced, or that
// there is no such cluster. The next replacement counts anew.
func (c *Condition) Done(cluster types.NamespacedName) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.since[cluster]; known {
		delete(c.since, cluster)
		c.wake()
	}
}

func (c *Condition) wake() {
	select {
	case c.changed <- struct{}{}:
	default: // It is looked at already.
	}
}

// NeedLeaderElection reports that only the leader writes the condition.
func (*Condition) NeedLeaderElection() bool { return true }

// Start writes the condition whenever it changes, until the context ends.
func (c *Condition) Start(ctx context.Context) error {
	c.started = c.clock.Now()
	for wait := settle; c.sleep(ctx, wait); {
		wait = c.step(ctx)
	}
	return nil
}

// sleep waits for a change, at most for a while if that is not zero, and reports whether
// the context has not ended.
func (c *Condition) sleep(ctx context.Context, wait time.Duration) bool {
	var over <-chan time.Time
	if wait > 0 {
		timer := c.clock.NewTimer(wait)
		defer timer.Stop()
		over = timer.C()
	}
	select {
	case <-ctx.Done():
		return false
	case <-c.changed:
	case <-over:
	}
	return true
}

// step writes the condition if it is time to, and returns when to look again; zero
// if nothing but a change makes a difference.
func (c *Condition) step(ctx context.Context) time.Duration {
	now := c.clock.Now()
	want, next := c.wanted(now)
	if rest := c.rest(want.Status, now); rest > 0 {
		return sooner(rest, next)
	}
	err := c.write(ctx, want)
	if err != nil {
		if !c.failing && ctx.Err() == nil {
			c.tell(err)
		}
		c.failing = true
		return retry
	}
	c.told, c.toldAt, c.failing = want.Status, now, false
	return next
}

// wanted returns the condition as it should be, and for how long it stays so.
func (c *Condition) wanted(now time.Time) (metav1.Condition, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return judge(c.since, now)
}

// rest returns for how long a condition must not be written yet.
func (c *Condition) rest(status metav1.ConditionStatus, now time.Time) time.Duration {
	switch {
	case status == c.told:
		return c.toldAt.Add(pace).Sub(now)
	case status == metav1.ConditionTrue:
		return c.started.Add(settle).Sub(now)
	default:
		return 0
	}
}

// tell logs that the condition is missing or cannot be written. Nothing else depends on it.
func (c *Condition) tell(err error) {
	if apierrors.IsNotFound(err) || apimeta.IsNoMatchError(err) || apierrors.IsForbidden(err) {
		c.log.Info("no OperatorCondition to keep; looking for it again and again", "reason", err.Error())
		return
	}
	c.log.Error(err, "the OperatorCondition is not up to date; trying again")
}

// write brings the condition to what it should be.
func (c *Condition) write(ctx context.Context, want metav1.Condition) error {
	object := &operatorsv2.OperatorCondition{}
	if err := c.reader.Get(ctx, c.condition, object); err != nil {
		return fmt.Errorf("get OperatorCondition %q: %w", c.condition.Name, err)
	}
	if !apimeta.SetStatusCondition(&object.Spec.Conditions, want) {
		return nil
	}
	// An update, not a patch: OLM writes the same object.
	if err := c.writer.Update(ctx, object); err != nil {
		return fmt.Errorf("update OperatorCondition %q: %w", c.condition.Name, err)
	}
	return nil
}
