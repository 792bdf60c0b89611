// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

// act has a client do something, and the cluster observed after it.
func (o *Observers) act(name types.NamespacedName, do func(*Client) error) error {
	c := o.find(name)
	if c == nil {
		return ErrNotObserved
	}
	defer o.Wake(name)
	return do(c.client)
}

// Fence does what Client.Fence does, and remembers when.
func (o *Observers) Fence(ctx context.Context, name types.NamespacedName, node string) error {
	return o.actAndRemember(name, node, observation.Latest.Fenced, func(client *Client) error { return client.Fence(ctx, node) })
}

// FenceSilent does what Client.FenceSilent does, and remembers when.
func (o *Observers) FenceSilent(ctx context.Context, name types.NamespacedName, node string) error {
	return o.actAndRemember(name, node, observation.Latest.Fenced, func(client *Client) error { return client.FenceSilent(ctx, node) })
}

// Challenge does what Client.Challenge does, and remembers when.
func (o *Observers) Challenge(ctx context.Context, name types.NamespacedName, node string) error {
	return o.actAndRemember(name, node, observation.Latest.Challenged, func(client *Client) error { return client.Challenge(ctx, node) })
}

// note is what is known of a cluster after something was done to a node at a time.
type note func(known observation.Latest, node string, at time.Time) observation.Latest

// actAndRemember remembers only what Flame has done.
func (o *Observers) actAndRemember(name types.NamespacedName, node string, what note, do func(*Client) error) error {
	return o.act(name, func(client *Client) error {
		err := do(client)
		if err == nil {
			o.remember(name, node, what)
		}
		return err
	})
}

// remember notes that something was done to a node now.
func (o *Observers) remember(name types.NamespacedName, node string, what note) {
	if c := o.find(name); c != nil {
		o.learn(c.known, func(before observation.Latest) observation.Latest { return what(before, node, o.clock.Now()) }, func(bool) {})
	}
}

// Clear does what Client.Clear does.
func (o *Observers) Clear(ctx context.Context, name types.NamespacedName, node string) error {
	return o.act(name, func(client *Client) error { return client.Clear(ctx, node) })
}

// Release does what Client.Release does.
func (o *Observers) Release(ctx context.Context, name types.NamespacedName, node string) error {
	return o.act(name, func(client *Client) error { return client.Release(ctx, node) })
}

// Cordon does what Client.Cordon does.
func (o *Observers) Cordon(ctx context.Context, name types.NamespacedName, node string) error {
	return o.act(name, func(client *Client) error { return client.Cordon(ctx, node) })
}

// Resync does what Client.Resync does, and remembers that it was tried.
func (o *Observers) Resync(ctx context.Context, name types.NamespacedName, node string) error {
	return o.act(name, func(client *Client) error {
		o.remember(name, node, observation.Latest.Resynced)
		return client.Resync(ctx, node)
	})
}

// Unbind does what Client.Unbind does.
func (o *Observers) Unbind(ctx context.Context, name types.NamespacedName, executor string) error {
	return o.act(name, func(client *Client) error { return client.Unbind(ctx, executor) })
}
