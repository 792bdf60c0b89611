// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

// Observers observe the session managers of all clusters in turn, each at its own interval,
// with a few workers. A cluster that waits for its turn costs a timer and no goroutine.
// Clusters that failed last time have workers of their own, so that a hundred that hang do
// not hold up one that answers. So have clusters that take long to answer, or answer a lot.
//
// Observers know nothing when they start. All methods may be called at any time, and only
// Do and Observe wait for Flame. The lock of all clusters is never held while the answers
// of one cluster are worked through, since they may be large.
type Observers struct {
	dial  Dialer
	clock clock.WithTicker
	// random returns a number from 0 to 1.
	random func() float64

	// sound, doubtful and heavy hold the clusters whose time has come, or will come.
	sound, doubtful, heavy queue
	// room is how many bytes the answers that are larger than small may take together.
	room *semaphore.Weighted
	// asked holds the clusters whose sessions have to be asked for lost tasks.
	asked workqueue.TypedInterface[types.NamespacedName]
	// changed holds the clusters that a reconciler has to look at.
	changed workqueue.TypedInterface[types.NamespacedName]
	events  chan event.GenericEvent

	mu       sync.Mutex
	clusters map[types.NamespacedName]*cluster
	// entries is how many entries are kept of all clusters.
	entries int
}

type queue = workqueue.TypedDelayingInterface[types.NamespacedName]

// cluster is what Observers hold of one cluster; Observers.mu guards it.
type cluster struct {
	target   Target
	client   *Client
	interval time.Duration
	// known stays the same when the cluster moves. entries is how many entries are kept of
	// it.
	known   *known
	entries int
	// ended is when the last observation ended, took is how long it took, and failures is
	// how many observations have failed in a row.
	ended    time.Time
	took     time.Duration
	failures int
	// waits is where the cluster waits for its turn. size is the size of its answers if
	// they are not small.
	waits queue
	size  int
	// due is when the next observation begins, or now if woken.
	due   time.Time
	woken bool
	// cancel ends the observation that is under way, if there is one.
	cancel context.CancelFunc
	// asksAt is when the sessions may be asked for lost tasks again. endAsk ends such a
	// question while it is under way.
	asksAt time.Time
	endAsk context.CancelFunc
}

// NewObservers returns observers that do nothing before they are started, and that dial TCP
// without a dialer.
func NewObservers(dial Dialer, clk clock.WithTicker) *Observers {
	delaying := func() queue {
		return workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[types.NamespacedName]{Clock: clk})
	}
	return &Observers{
		dial: dial, clock: clk, random: rand.Float64,
		sound: delaying(), doubtful: delaying(), heavy: delaying(),
		room:     semaphore.NewWeighted(largestAnswer),
		asked:    workqueue.NewTyped[types.NamespacedName](),
		changed:  workqueue.NewTyped[types.NamespacedName](),
		events:   make(chan event.GenericEvent),
		clusters: map[types.NamespacedName]*cluster{},
	}
}

// Ensure has a cluster observed, from now on, if it is not yet. A target with another UID
// is another cluster, of which nothing is known. A target with another address or CA is the
// same cluster in another place. Ensure fails only if the CA cannot be read, and then
// leaves everything as it was.
func (o *Observers) Ensure(name types.NamespacedName, target Target) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.clusters[name]
	if c != nil && c.target == target {
		return nil
	}
	client, err := NewClient(target, o.dial, o.clock.Now)
	if err != nil {
		return fmt.Errorf("observe FlameCluster %q: %w", name, err)
	}
	client.room = o.room
	next := &cluster{target: target, client: client, interval: Calm, known: &known{}, waits: o.sound}
	if c != nil && c.target.UID == target.UID {
		next.interval, next.known, next.entries = c.interval, c.known, c.entries
	}
	o.drop(name)
	o.clusters[name] = next
	o.entries += next.entries
	o.wake(name, next)
	return nil
}

// Forget ends the observation of a cluster and forgets what was known of it.
func (o *Observers) Forget(name types.NamespacedName) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop(name)
}

// Latest returns what is known of a cluster. The zero value says that nothing is known, as
// of a cluster that is not observed or was not yet.
func (o *Observers) Latest(name types.NamespacedName) observation.Latest {
	if c := o.find(name); c != nil {
		return o.latest(c.known)
	}
	return observation.Latest{}
}

// find returns nil for a cluster that is not observed.
func (o *Observers) find(name types.NamespacedName) *cluster {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.clusters[name]
}

// Wake has a cluster observed now, whatever its interval and its failures. If an
// observation is under way, which may have missed what happened, another follows.
func (o *Observers) Wake(name types.NamespacedName) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c := o.clusters[name]; c != nil {
		o.wake(name, c)
	}
}

// Observe observes a cluster now, and returns when that is done. Callers must not have
// started the observers, and keep the time themselves.
func (o *Observers) Observe(ctx context.Context, name types.NamespacedName) {
	o.Wake(name)
	for o.turn(ctx, name, nil) {
		continue
	}
}

// SetInterval sets the time between two observations of a cluster, Calm unless set. A
// shorter interval holds from the last observation on.
func (o *Observers) SetInterval(name types.NamespacedName, interval time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.clusters[name]
	if c == nil || c.interval == interval {
		return
	}
	c.interval = interval
	if c.cancel != nil || c.ended.IsZero() {
		return // The end of the observation that is to come sets the next.
	}
	if due := c.ended.Add(o.pause(c)); due.Before(c.due) {
		c.due = due
		c.waits.AddAfter(name, due.Sub(o.clock.Now()))
	}
}

// Events returns the channel on which a cluster comes when something that matters has
// changed; see observation.Changed. A cluster that changes several times before its event
// is sent comes once.
func (o *Observers) Events() <-chan event.GenericEvent { return o.events }

// NeedLeaderElection reports that only the leader observes.
func (o *Observers) NeedLeaderElection() bool { return true }

func (o *Observers) wake(name types.NamespacedName, c *cluster) {
	c.woken = true
	if c.cancel == nil { // Otherwise the end of the observation that is under way sees to it.
		c.waits.Add(name)
	}
}

func (o *Observers) pause(c *cluster) time.Duration {
	return pause(c.interval, c.took, c.failures, o.random())
}

// drop ends what is under way in a cluster, and takes the cluster off the list.
func (o *Observers) drop(name types.NamespacedName) {
	c := o.clusters[name]
	if c == nil {
		return
	}
	for _, end := range []context.CancelFunc{c.cancel, c.endAsk} {
		if end != nil {
			end()
		}
	}
	o.entries -= c.entries
	delete(o.clusters, name)
}
