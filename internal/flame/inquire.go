// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

// askLost asks for the lost tasks of a cluster, if it is time. Those who wait for
// an observation do not wait for it: it has workers of its own, and as it may
// have Flame send a lot, each cluster is left alone after it for ten times as
// long as it took.
func (o *Observers) askLost(ctx context.Context, name types.NamespacedName) {
	c, asks, ctx := o.beginAsk(ctx, name)
	if c == nil {
		return
	}
	began := o.clock.Now()
	answers, err := c.client.LostTasks(ctx, asks)
	cancelled := ctx.Err() != nil

	o.mu.Lock()
	defer o.mu.Unlock()
	c.endAsk()
	c.endAsk = nil
	if cancelled || o.clusters[name] != c {
		return
	}
	ended := o.clock.Now()
	c.asksAt = ended.Add(ended.Sub(began) * courtesy)
	if err != nil {
		c.asksAt = c.asksAt.Add(longest)
	}
	before := c.latest
	if c.latest = before.Told(answers); observation.Changed(before, c.latest) {
		o.changed.Add(name)
	}
}

// beginAsk returns nothing if there is nothing to ask yet.
func (o *Observers) beginAsk(ctx context.Context, name types.NamespacedName) (*cluster, []observation.Ask, context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c, now := o.clusters[name], o.clock.Now()
	if c == nil || ctx.Err() != nil || now.Before(c.asksAt) {
		return nil, nil, nil
	}
	asks := c.latest.Asks(now)
	if len(asks) == 0 {
		return nil, nil, nil
	}
	ctx, c.endAsk = context.WithCancel(ctx)
	return c, asks, ctx
}
