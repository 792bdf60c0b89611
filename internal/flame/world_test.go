// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/xflops/flame-operator/internal/flame"
	"github.com/xflops/flame-operator/internal/flame/flametest"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// world is Observers at work, with a clock that the test moves.
type world struct {
	*flame.Observers
	t       *testing.T
	network *flametest.Network
	clock   *clocktesting.FakeClock
	stop    func()

	mu      sync.Mutex
	dialled int
	// woken counts the events of each cluster.
	woken map[string]int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, network: flametest.NewNetwork(t), clock: clocktesting.NewFakeClock(noon),
		woken: map[string]int{},
	}
	w.Observers = flame.NewObservers(w.dial, w.clock)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { assert.NoError(t, w.Start(ctx)) })
	group.Go(func() { w.receive(ctx) })
	w.stop = func() {
		cancel()
		group.Wait()
	}
	t.Cleanup(w.stop)
	return w
}

func (w *world) dial(ctx context.Context, address string) (net.Conn, error) {
	w.mu.Lock()
	w.dialled++
	w.mu.Unlock()
	return w.network.Dial(ctx, address)
}

func (w *world) receive(ctx context.Context) {
	for {
		select {
		case e := <-w.Events():
			w.mu.Lock()
			w.woken[e.Object.GetNamespace()+"/"+e.Object.GetName()]++
			w.mu.Unlock()
		case <-ctx.Done():
			return
		}
	}
}

// dials counts the connections that were made.
func (w *world) dials() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dialled
}

func (w *world) wakes(host string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.woken["ns/"+host]
}

func (w *world) eventually(done func() bool, message string) {
	w.t.Helper()
	require.Eventually(w.t, done, 20*time.Second, time.Millisecond, message)
}

// after lets time pass, after which cluster c has to be asked again.
func (w *world) after(d time.Duration) {
	w.t.Helper()
	before := w.Latest(named("c"))
	w.clock.Step(d)
	w.eventually(func() bool { return again(before, w.Latest(named("c"))) }, "it is asked again after "+d.String())
}

// quiet lets time pass, within which cluster c must not be asked.
func (w *world) quiet(d time.Duration) {
	w.t.Helper()
	before := w.Latest(named("c"))
	w.clock.Step(d)
	time.Sleep(20 * time.Millisecond)
	assert.False(w.t, again(before, w.Latest(named("c"))), "it is asked again within %s", d)
}

// again reports whether there was another try, whatever came of it.
func again(a, b observation.Latest) bool {
	return a.Observation != b.Observation || a.Err != b.Err //nolint:errorlint // Another try has another error.
}

func named(host string) types.NamespacedName {
	return types.NamespacedName{Namespace: "ns", Name: host}
}

// observe starts a fake that lists an observation, and has it observed once.
func (w *world) observe(host string, o observation.Observation) *flametest.Server {
	w.t.Helper()
	server := w.network.Serve(host)
	server.Set(o)
	require.NoError(w.t, w.Ensure(named(host), target(host)))
	w.eventually(func() bool { return w.Latest(named(host)).Known() }, "it is observed")
	w.eventually(func() bool { return w.wakes(host) == 1 }, "the first observation wakes")
	return server
}
