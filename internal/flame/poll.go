// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

const (
	// soundWorkers is how many session managers that answer are asked at once. An
	// observation takes a few milliseconds, so that a thousand clusters need few;
	// more would only hold more answers in memory at the same time.
	soundWorkers = 24
	// doubtfulWorkers is how many of those that failed are asked at once. One that
	// hangs takes a worker for the whole of observeTimeout.
	doubtfulWorkers = 8
	// askWorkers is how many are asked for lost tasks at once.
	askWorkers = 2
)

// Start observes until the context ends, and returns when all is quiet again.
func (o *Observers) Start(ctx context.Context) error {
	var group sync.WaitGroup
	work := func(workers int, queue workqueue.TypedDelayingInterface[types.NamespacedName]) {
		for range workers {
			group.Go(func() { each(queue, func(name types.NamespacedName) { o.turn(ctx, name) }) })
		}
	}
	work(soundWorkers, o.sound)
	work(doubtfulWorkers, o.doubtful)
	for range askWorkers {
		group.Go(func() { each(o.asked, func(name types.NamespacedName) { o.askLost(ctx, name) }) })
	}
	group.Go(func() { each(o.changed, func(name types.NamespacedName) { o.announce(ctx, name) }) })

	<-ctx.Done()
	o.sound.ShutDown()
	o.doubtful.ShutDown()
	o.asked.ShutDown()
	o.changed.ShutDown()
	group.Wait()
	return nil
}

// each works off a queue until it is shut down.
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

// announce waits for the receiver, so that what changes meanwhile is announced
// after it, and nobody else waits.
func (o *Observers) announce(ctx context.Context, name types.NamespacedName) {
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
	select {
	case o.events <- event.GenericEvent{Object: object}:
	case <-ctx.Done():
	}
}

// turn observes a cluster whose turn has come, and sets the next.
func (o *Observers) turn(ctx context.Context, name types.NamespacedName) {
	c, ctx := o.begin(ctx, name)
	if c == nil {
		return
	}
	began := o.clock.Now()
	seen, err := c.observe(ctx)
	seen.At = began
	if ctx.Err() == nil { // Otherwise it was forgotten, moved or all ends.
		o.end(name, c, seen, err)
	}
}

// observe reads what only begin and end change, between which it is called.
func (c *cluster) observe(ctx context.Context) (observation.Observation, error) {
	ctx, cancel := context.WithTimeout(ctx, patience(c.took, c.failures))
	defer cancel()
	return c.client.Observe(ctx)
}

// begin returns nothing if it is not time yet, or an observation is under way,
// which sees to it that another follows.
func (o *Observers) begin(ctx context.Context, name types.NamespacedName) (*cluster, context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.clusters[name]
	if c == nil || c.cancel != nil || ctx.Err() != nil {
		return nil, nil
	}
	if early := c.due.Sub(o.clock.Now()); early > 0 && !c.woken {
		// A queue keeps only the earliest of the times that it was given.
		o.queue(c).AddAfter(name, early)
		return nil, nil
	}
	c.woken = false
	ctx, c.cancel = context.WithCancel(ctx)
	return c, ctx
}

func (o *Observers) end(name types.NamespacedName, c *cluster, seen observation.Observation, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c.cancel()
	c.cancel = nil
	if o.clusters[name] != c {
		return
	}
	before := c.latest
	c.ended = o.clock.Now()
	c.took = c.ended.Sub(seen.At)
	if err != nil {
		c.failures++
		c.latest = before.Failed(err, seen.At)
	} else {
		c.failures = 0
		c.latest = before.Seen(seen)
		o.asked.Add(name)
	}
	if observation.Changed(before, c.latest) {
		o.changed.Add(name)
	}
	if c.woken {
		o.queue(c).Add(name)
		return
	}
	wait := o.pause(c)
	c.due = c.ended.Add(wait)
	o.queue(c).AddAfter(name, wait)
}
