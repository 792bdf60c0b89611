// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"context"
	"errors"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

const (
	// soundWorkers is how many session managers that answer are asked at once. An
	// observation takes a few milliseconds, so that a thousand clusters need few workers;
	// more would only hold more answers in memory at the same time.
	soundWorkers = 24
	// doubtfulWorkers is how many session managers that failed are asked at once. A session
	// manager that hangs takes a worker for the whole of observeTimeout, and each of a
	// hundred that hang has its turn within a minute.
	doubtfulWorkers = 24
	// heavyWorkers is how many session managers that answer slowly, or a lot, are asked at
	// once.
	heavyWorkers = 8
	// askWorkers is how many session managers are asked for lost tasks at once.
	askWorkers = 2
)

// Start observes until the context ends, and returns when all is quiet again.
func (o *Observers) Start(ctx context.Context) error {
	var group sync.WaitGroup
	work := func(workers int, waiting queue) {
		for range workers {
			group.Go(func() { each(waiting, func(name types.NamespacedName) { o.turn(ctx, name, waiting) }) })
		}
	}
	work(soundWorkers, o.sound)
	work(doubtfulWorkers, o.doubtful)
	work(heavyWorkers, o.heavy)
	for range askWorkers {
		group.Go(func() { each(o.asked, func(name types.NamespacedName) { o.askLost(ctx, name) }) })
	}
	group.Go(func() { each(o.changed, func(name types.NamespacedName) { o.announce(ctx, name) }) })

	<-ctx.Done()
	o.sound.ShutDown()
	o.doubtful.ShutDown()
	o.heavy.ShutDown()
	o.asked.ShutDown()
	o.changed.ShutDown()
	group.Wait()
	return nil
}

// each works off a queue until the queue is shut down.
func each(queue workqueue.TypedInterface[types.NamespacedName], do func(types.NamespacedName)) {
	for {
		name, shutdown := queue.Get()
		if shutdown {
			return
		}
		do(name)
		queue.Done(name)
	}
}

// announce waits for the receiver. Changes that come meanwhile are announced afterwards,
// and nobody else waits.
func (o *Observers) announce(ctx context.Context, name types.NamespacedName) {
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
	select {
	case o.events <- event.GenericEvent{Object: object}:
	case <-ctx.Done():
	}
}

// turn observes a cluster that has waited for its turn in a queue, and sets the next. The
// result reports whether the cluster has to be observed once more to know anything.
func (o *Observers) turn(ctx context.Context, name types.NamespacedName, waited queue) (again bool) {
	c, ctx := o.begin(ctx, name, waited)
	if c == nil {
		return false
	}
	// Nobody else changes these fields until the observation ends.
	seen := c.client.look(ctx, c.size, o.patience(c), isAtWork)
	if ctx.Err() != nil { // It was forgotten, moved or all ends.
		return false
	}
	return o.end(name, c, seen)
}

// begin returns nil if it is not time yet, if an observation is under way, which sees to it
// that another follows, or if the cluster belongs into another queue.
func (o *Observers) begin(ctx context.Context, name types.NamespacedName, waited queue) (*cluster, context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.clusters[name]
	if c == nil || c.cancel != nil || ctx.Err() != nil {
		return nil, nil
	}
	if early := c.due.Sub(o.clock.Now()); early > 0 && !c.woken {
		// A queue keeps only the earliest of the times that it was given.
		c.waits.AddAfter(name, early)
		return nil, nil
	}
	if waited != nil && waited != c.waits {
		c.waits.Add(name)
		return nil, nil
	}
	c.woken = false
	ctx, c.cancel = context.WithCancel(ctx)
	return c, ctx
}

// end takes in an observation, and reports whether another has to follow at once. The
// consequences are worked out before anything is locked that others need.
func (o *Observers) end(name types.NamespacedName, c *cluster, seen look) (again bool) {
	seen.took = o.clock.Now().Sub(seen.At)
	if seen.more = o.asksForMore(c, seen); seen.more {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.settle(name, c, seen)
		return true
	}
	if seen.err == nil {
		seen.err = o.admit(name, c, len(seen.Sessions)+len(seen.Executors)+len(seen.Nodes))
	}
	o.learn(c.known, seen.after, func(news bool) {
		o.settle(name, c, seen)
		if news && o.clusters[name] == c {
			o.changed.Add(name)
		}
	})
	return false
}

// settle sets when the next observation begins.
func (o *Observers) settle(name types.NamespacedName, c *cluster, seen look) {
	c.cancel()
	c.cancel = nil
	if o.clusters[name] != c {
		return
	}
	c.ended, c.took = seen.At.Add(seen.took), seen.took
	o.judge(c, seen)
	if seen.err == nil {
		o.asked.Add(name)
	}
	if c.woken {
		c.waits.Add(name)
		return
	}
	c.due = c.ended.Add(o.pause(c))
	c.waits.AddAfter(name, c.due.Sub(o.clock.Now()))
}

// admit makes room for as many entries as are to be kept of a cluster, in place of those
// that are kept.
func (o *Observers) admit(name types.NamespacedName, c *cluster, entries int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	together := o.entries - c.entries + entries
	switch {
	case o.clusters[name] != c: // Nobody will ask for them.
		return nil
	case entries > undisputed && together > mostOfAll:
		return errCrowded
	}
	c.entries, o.entries = entries, together
	return nil
}

// asksForMore reports whether an observation failed only for want of room or of time, of
// which there is more in a queue where the observation holds up nobody.
func (o *Observers) asksForMore(c *cluster, seen look) bool {
	return errors.Is(seen.err, errOutgrown) || c.waits == o.sound && errors.Is(seen.err, observation.ErrTimeout)
}

// judge decides from an observation where the cluster waits for the next, which begins now
// if this one asks for more.
func (o *Observers) judge(c *cluster, seen look) {
	c.size = seen.size
	switch {
	case seen.more && seen.size > 0:
		c.waits, c.woken = o.heavy, true
	case seen.more:
		c.waits, c.woken = o.doubtful, true
	case seen.err != nil:
		c.waits, c.size, c.failures = o.doubtful, 0, c.failures+1
	case seen.size > 0 || c.took > quick:
		c.waits, c.failures = o.heavy, 0
	default:
		c.waits, c.failures = o.sound, 0
	}
}

// patience returns how long an observation of a cluster may take.
func (o *Observers) patience(c *cluster) time.Duration {
	switch c.waits {
	case o.sound:
		return soundTimeout
	case o.heavy:
		return min(max(c.took*courtesy, heavyTimeout), observeTimeout)
	default:
		return observeTimeout
	}
}
