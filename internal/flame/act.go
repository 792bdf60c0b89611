// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/xflops/flame-operator/internal/flame/action"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

var verbs = map[action.Verb]func(*Client, context.Context, string) error{
	action.Fence:       (*Client).Fence,
	action.FenceSilent: (*Client).FenceSilent,
	action.Clear:       (*Client).Clear,
	action.Challenge:   (*Client).Challenge,
	action.Release:     (*Client).Release,
	action.Resync:      (*Client).Resync,
	action.Unbind:      (*Client).Unbind,
	action.Cordon:      (*Client).Cordon,
}

// note returns what is known of a cluster after something was done to a node at a time.
type note func(known observation.Latest, node string, at time.Time) observation.Latest

// done holds the notes of the verbs that Flame has carried out. Do notes the try of a
// resync before the call.
var done = map[action.Verb]note{
	action.Fence:       observation.Latest.Fenced,
	action.FenceSilent: observation.Latest.Fenced,
	action.Challenge:   observation.Latest.Challenged,
}

// Do has the session manager of a cluster carry out an action, and has the cluster observed
// afterwards. The error is an ErrRefused if nothing was done because Flame has changed
// since the action was decided.
func (o *Observers) Do(ctx context.Context, name types.NamespacedName, a action.Action) error {
	c, do := o.find(name), verbs[a.Verb]
	switch {
	case c == nil:
		return ErrNotObserved
	case do == nil:
		return fmt.Errorf("no session manager can be asked to %q", a.Verb)
	}
	defer o.Wake(name)
	if a.Verb == action.Resync {
		o.remember(name, a.Target, observation.Latest.Resynced)
	}
	if err := do(c.client, ctx, a.Target); err != nil {
		return err
	}
	if what := done[a.Verb]; what != nil {
		o.remember(name, a.Target, what)
	}
	return nil
}

// remember notes that something was done to a node now.
func (o *Observers) remember(name types.NamespacedName, node string, what note) {
	if c := o.find(name); c != nil {
		o.learn(c.known, func(before observation.Latest) observation.Latest { return what(before, node, o.clock.Now()) }, func(bool) {})
	}
}
