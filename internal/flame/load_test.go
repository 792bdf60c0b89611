// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/xflops/flame-operator/internal/flame"
	"github.com/xflops/flame-operator/internal/flame/flametest"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// goroutinesAtMost waits until no more goroutines are left.
func goroutinesAtMost(t *testing.T, want int) {
	t.Helper()
	for range 4000 {
		if runtime.NumGoroutine() <= want {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%d goroutines, want %d:\n%s", runtime.NumGoroutine(), want, stacks[:runtime.Stack(stacks, true)])
}

func TestNobodyWhoListensHoldsNothingUp(t *testing.T) {
	network := flametest.NewNetwork(t)
	observers := flame.NewObservers(network.Dial, clock.RealClock{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- observers.Start(ctx) }()
	server := network.Serve("c")
	require.NoError(t, observers.Ensure(named("c"), target("c")))
	for i := range 20 {
		server.Change(func(o *observation.Observation) { o.Sessions = []observation.Session{session("s", i+1, 0)} })
		observers.Wake(named("c"))
		require.Eventually(t, func() bool {
			latest := observers.Latest(named("c"))
			return latest.Known() && latest.Observation.Sessions[0].Pending == i+1
		}, 10*time.Second, time.Millisecond)
	}
	received := 0
	for quiet := false; !quiet; {
		select {
		case <-observers.Events():
			received++
		case <-time.After(200 * time.Millisecond):
			quiet = true
		}
	}
	assert.LessOrEqual(t, received, 2, "one event that waited, and one for all that came meanwhile")
	cancel()
	require.NoError(t, <-ended)
}

func TestStopEndsEverythingThatHangs(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("observers", func(t *testing.T) {
		w := newWorld(t)
		var hosts []string
		for i := range 100 {
			hosts = append(hosts, fmt.Sprintf("c%d", i))
		}
		w.network.Serve(hosts...).Hang()
		for _, host := range hosts {
			require.NoError(t, w.Ensure(named(host), target(host)))
		}
		w.eventually(func() bool { return w.dials() > 0 }, "some are asked")
		w.stop()
		for _, host := range hosts {
			assert.NoError(t, w.Latest(named(host)).Err, "the end is no failure of Flame's")
		}
	})
	goroutinesAtMost(t, before)
}

func TestThousandClustersTakeAFewGoroutines(t *testing.T) {
	const clusters = 1000
	network := flametest.NewNetwork(t)
	var hosts []string
	for i := range clusters {
		hosts = append(hosts, fmt.Sprintf("c%d", i))
	}
	server := network.Serve(hosts...)
	server.Set(idleNode)
	before := runtime.NumGoroutine()
	// The clock stands still, so that all are at rest after their first observation.
	observers := flame.NewObservers(network.Dial, clocktesting.NewFakeClock(noon))
	go func() { _ = observers.Start(t.Context()) }()
	go func() {
		for range observers.Events() {
			continue
		}
	}()

	most := 0
	known := func() (count int) {
		most = max(most, runtime.NumGoroutine())
		for _, host := range hosts {
			switch latest := observers.Latest(named(host)); {
			case latest.Known():
				count++
			case latest.Err != nil: // This machine is very slow.
				observers.Wake(named(host))
			}
		}
		return count
	}
	for _, host := range hosts {
		require.NoError(t, observers.Ensure(named(host), target(host)))
	}
	require.Eventually(t, func() bool { return known() == clusters }, 2*time.Minute, time.Millisecond)
	assert.LessOrEqual(t, server.Peak(), 24+24+8, "calls at the same time")
	// An observation under way has some goroutines of gRPC's, on both sides here.
	assert.Less(t, most-before, 900, "goroutines while all are observed")
	goroutinesAtMost(t, before+80)
}

func TestThoseThatHangDoNotHoldUpThoseThatAnswer(t *testing.T) {
	w := newWorld(t)
	sound := w.observe("sound", idleNode)
	var hosts []string
	for i := range 100 {
		hosts = append(hosts, fmt.Sprintf("hangs%d", i))
	}
	server := w.network.Serve(hosts...)
	server.Fail(errors.New("not yet"))
	for _, host := range hosts {
		require.NoError(t, w.Ensure(named(host), target(host)))
	}
	for _, host := range hosts {
		w.eventually(func() bool { return w.Latest(named(host)).Err != nil }, "it fails")
	}
	server.Answer()
	server.Hang()
	for _, host := range hosts {
		w.Wake(named(host))
	}
	w.eventually(func() bool { return server.Observed() >= 100+24 }, "they hang")
	for range 5 {
		before := sound.Observed()
		w.Wake(named("sound"))
		require.Eventually(t, func() bool { return sound.Observed() > before }, 4*time.Second, time.Millisecond)
	}
	// So many hang at the same time, and on a slow machine the next do already.
	assert.LessOrEqual(t, server.Observed(), 100+2*24)
}
