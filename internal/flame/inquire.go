// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

// askLost asks for the lost tasks of a cluster, if it is time. Observations do not wait for
// the answer, as the question has workers of its own. Since Flame may have to send a lot,
// each cluster is left alone afterwards for ten times as long as the answer took.
func (o *Observers) askLost(ctx context.Context, name types.NamespacedName) {
	c, ctx := o.beginAsk(ctx, name)
	if c == nil {
		return
	}
	began := o.clock.Now()
	err := o.inquire(ctx, name, c)
	o.endAsk(c, began, err)
}

// beginAsk returns nil if it is not time yet.
func (o *Observers) beginAsk(ctx context.Context, name types.NamespacedName) (*cluster, context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.clusters[name]
	if c == nil || ctx.Err() != nil || o.clock.Now().Before(c.asksAt) {
		return nil, nil
	}
	ctx, c.endAsk = context.WithCancel(ctx)
	return c, ctx
}

func (o *Observers) inquire(ctx context.Context, name types.NamespacedName, c *cluster) error {
	asks := o.latest(c.known).Asks(o.clock.Now())
	if len(asks) == 0 {
		return nil
	}
	answers, err := c.client.LostTasks(ctx, asks)
	if ctx.Err() != nil { // It was forgotten, moved or all ends.
		return err
	}
	o.learn(c.known, func(before observation.Latest) observation.Latest { return before.Told(answers) }, func(news bool) {
		if news && o.clusters[name] == c {
			o.changed.Add(name)
		}
	})
	return err
}

// endAsk sets when a cluster may be asked again.
func (o *Observers) endAsk(c *cluster, began time.Time, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c.endAsk()
	c.endAsk = nil
	ended := o.clock.Now()
	c.asksAt = ended.Add(ended.Sub(began) * courtesy)
	if err != nil {
		c.asksAt = c.asksAt.Add(longest)
	}
}
