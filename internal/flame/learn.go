// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"sync"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

// known is what is known of a cluster.
type known struct {
	// turn is held while the next state is worked out: observations, answers and verbs of a
	// cluster come at the same time, and none may be forgotten.
	turn sync.Mutex
	// last is guarded by Observers.mu.
	last observation.Latest
}

// learn replaces what is known of a cluster by what follows from it, and then tells a
// function, with the lock held, whether that is news. The work may take long, and delays
// only those that learn more of the same cluster.
func (o *Observers) learn(k *known, next func(observation.Latest) observation.Latest, then func(news bool)) {
	k.turn.Lock()
	defer k.turn.Unlock()
	before := o.latest(k)
	after := next(before)
	news := observation.Changed(before, after)

	o.mu.Lock()
	defer o.mu.Unlock()
	k.last = after
	then(news)
}

func (o *Observers) latest(k *known) observation.Latest {
	o.mu.Lock()
	defer o.mu.Unlock()
	return k.last
}
