// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/xflops/flame-operator/internal/flame"
	"github.com/xflops/flame-operator/internal/flame/flametest"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

var (
	_ manager.Runnable               = &flame.Observers{}
	_ manager.LeaderElectionRunnable = &flame.Observers{}
)

var errBroken = status.Error(codes.Internal, "broken")

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

// again says whether there was another try, whatever came of it.
func again(a, b observation.Latest) bool {
	return a.Observation != b.Observation || a.Err != b.Err //nolint:errorlint // Another try has another error.
}

func named(host string) types.NamespacedName {
	return types.NamespacedName{Namespace: "ns", Name: host}
}

// observe starts a fake with the given and has it observed once.
func (w *world) observe(host string, o observation.Observation) *flametest.Server {
	w.t.Helper()
	server := w.network.Serve(host)
	server.Set(o)
	require.NoError(w.t, w.Ensure(named(host), target(host)))
	w.eventually(func() bool { return w.Latest(named(host)).Known() }, "it is observed")
	w.eventually(func() bool { return w.wakes(host) == 1 }, "the first observation wakes")
	return server
}

var idleNode = observation.Observation{Nodes: []observation.Node{node("n", observation.Ready)}}

func TestNothingIsKnownAtFirst(t *testing.T) {
	w := newWorld(t)
	assert.Equal(t, observation.Latest{}, w.Latest(named("c")))
	require.NoError(t, w.Ensure(named("c"), target("c")))
	w.eventually(func() bool { return w.Latest(named("c")).Err != nil }, "it fails")
	latest := w.Latest(named("c"))
	assert.False(t, latest.Known())
	assert.ErrorIs(t, latest.Err, observation.ErrUnreachable)
	assert.Equal(t, noon, latest.FailingSince)
	w.eventually(func() bool { return w.wakes("c") == 1 }, "silence is news")
}

func TestOnlyWhatMattersWakes(t *testing.T) {
	w := newWorld(t)
	server := w.observe("c", idleNode)
	w.after(11 * time.Second)
	w.eventually(func() bool { return w.wakes("c") == 2 }, "the node counts as idle")
	for range 5 {
		w.after(11 * time.Second)
	}
	time.Sleep(20 * time.Millisecond)
	assert.Equal(t, 2, w.wakes("c"), "nothing has changed since")
	assert.Equal(t, noon.Add(66*time.Second), w.Latest(named("c")).Observation.At, "and still it is the latest")

	server.Change(func(o *observation.Observation) { o.Sessions = []observation.Session{session("s", 1, 0)} })
	w.after(11 * time.Second)
	w.eventually(func() bool { return w.wakes("c") == 3 }, "a session came")
}

func TestIntervalsAreJittered(t *testing.T) {
	const step = 50 * time.Millisecond
	w := newWorld(t)
	w.observe("c", idleNode)
	gaps := map[time.Duration]bool{}
	for range 6 {
		w.quiet(8900 * time.Millisecond)
		gap := time.Duration(0)
		for before := w.Latest(named("c")); !again(before, w.Latest(named("c"))); gap += step {
			w.clock.Step(step)
			time.Sleep(2 * time.Millisecond)
		}
		gaps[gap] = true
	}
	assert.Greater(t, len(gaps), 1, "%v", gaps)
}

func TestFailuresBackOffAndTheLastWordStands(t *testing.T) {
	w := newWorld(t)
	server := w.observe("c", idleNode)
	server.Fail(errBroken)
	w.after(11 * time.Second)
	w.quiet(17900 * time.Millisecond)
	w.after(4200 * time.Millisecond)
	for range 3 {
		w.quiet(26900 * time.Millisecond)
		w.after(6200 * time.Millisecond)
	}

	latest := w.Latest(named("c"))
	require.True(t, latest.Known())
	assert.Equal(t, idleNode.Nodes, latest.Observation.Nodes)
	assert.Equal(t, noon, latest.Observation.At)
	assert.ErrorIs(t, latest.Err, observation.ErrAnswer)
	assert.Equal(t, noon.Add(11*time.Second), latest.FailingSince)
	w.eventually(func() bool { return w.wakes("c") == 2 }, "it fell silent")

	server.Answer()
	w.Wake(named("c"))
	w.eventually(func() bool { return w.Latest(named("c")).Err == nil }, "a wake does not wait for the back-off")
	w.eventually(func() bool { return w.wakes("c") == 3 }, "it speaks again")
	w.quiet(8900 * time.Millisecond)
	w.after(2200 * time.Millisecond)
}

func TestWakeDuringAnObservationIsNotLost(t *testing.T) {
	w := newWorld(t)
	server := w.observe("c", idleNode)
	server.Hang()
	w.Wake(named("c"))
	w.eventually(func() bool { return server.Observed() == 2 }, "an observation is under way")
	w.Wake(named("c"))
	w.Wake(named("c"))
	server.Answer()
	w.eventually(func() bool { return server.Observed() == 3 }, "another follows")
	time.Sleep(50 * time.Millisecond)
	assert.Equal(t, 3, server.Observed(), "and no third one")
}

func TestWakeMovesTheNextObservation(t *testing.T) {
	w := newWorld(t)
	w.observe("c", idleNode)
	w.quiet(3 * time.Second)
	w.Wake(named("c"))
	w.eventually(func() bool { return w.Latest(named("c")).Observation.At.Equal(noon.Add(3 * time.Second)) }, "it is asked at once")
	w.quiet(8 * time.Second) // The time that was set before passes.
	w.quiet(900 * time.Millisecond)
	w.after(2200 * time.Millisecond)
}

func TestUrgencyHoldsFromTheLastObservationOn(t *testing.T) {
	w := newWorld(t)
	server := w.observe("c", idleNode)
	w.quiet(3 * time.Second)
	w.SetInterval(named("c"), flame.Urgent)
	w.eventually(func() bool { return w.Latest(named("c")).Observation.At.Equal(noon.Add(3 * time.Second)) }, "it is due already")
	for range 5 {
		w.quiet(850 * time.Millisecond)
		w.after(300 * time.Millisecond)
	}
	w.SetInterval(named("c"), flame.Calm)
	w.after(1150 * time.Millisecond)
	w.quiet(8900 * time.Millisecond)
	w.after(2200 * time.Millisecond)
	assert.Equal(t, 9, server.Observed())
}

func TestForgottenClusterIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	server := w.observe("c", idleNode)
	server.Hang()
	w.Wake(named("c"))
	w.eventually(func() bool { return server.Observed() == 2 }, "an observation is under way")
	w.Forget(named("c"))
	assert.Equal(t, observation.Latest{}, w.Latest(named("c")))
	server.Answer()
	w.Wake(named("c"))
	w.SetInterval(named("c"), flame.Urgent)
	w.quiet(time.Minute)
	assert.Equal(t, 2, server.Observed())
	assert.Equal(t, observation.Latest{}, w.Latest(named("c")))
	assert.ErrorIs(t, w.Release(t.Context(), named("c"), "n"), flame.ErrNotObserved)
}

func TestAnotherClusterUnderTheNameIsUnknown(t *testing.T) {
	w := newWorld(t)
	w.observe("c", idleNode)
	first := target("c")

	moved := first
	moved.Frontend, moved.Backend = "elsewhere:8080", "elsewhere:8081"
	require.NoError(t, w.Ensure(named("c"), moved))
	w.eventually(func() bool { return w.Latest(named("c")).Err != nil }, "it is asked there")
	assert.True(t, w.Latest(named("c")).Known(), "its last word stands")

	other := moved
	other.UID = "other"
	require.NoError(t, w.Ensure(named("c"), other))
	assert.False(t, w.Latest(named("c")).Known())

	broken := other
	broken.CA = "no certificate"
	require.Error(t, w.Ensure(named("c"), broken))
}

func TestEnsureAgainChangesNothing(t *testing.T) {
	w := newWorld(t)
	server := w.observe("c", idleNode)
	for range 10 {
		require.NoError(t, w.Ensure(named("c"), target("c")))
	}
	time.Sleep(50 * time.Millisecond)
	assert.Equal(t, 1, server.Observed())
}

func TestFenceIsRememberedAndLookedAt(t *testing.T) {
	w := newWorld(t)
	server := w.observe("c", observation.Observation{Nodes: []observation.Node{node("n", observation.Unknown)}})
	w.clock.Step(5 * time.Second)
	require.NoError(t, w.Fence(t.Context(), named("c"), "n"))
	assert.Equal(t, noon.Add(5*time.Second), w.Latest(named("c")).Track.Nodes["n"].FencedSince)
	w.eventually(func() bool { return server.Observed() == 2 }, "it is looked at")
	w.eventually(func() bool { return w.wakes("c") == 2 }, "which is news")
	assert.Equal(t, noon.Add(5*time.Second), w.Latest(named("c")).Track.Nodes["n"].FencedSince)

	w.Observers.SetInterval(named("c"), time.Hour)
	server.Fail(errBroken)
	w.clock.Step(5 * time.Second)
	require.ErrorIs(t, w.Fence(t.Context(), named("c"), "n"), observation.ErrAnswer)
	assert.Equal(t, noon.Add(5*time.Second), w.Latest(named("c")).Track.Nodes["n"].FencedSince, "one that failed is none")
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
	observers := flame.NewObservers(network.Dial, clock.RealClock{})
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
			if observers.Latest(named(host)).Known() {
				count++
			}
		}
		return count
	}
	for _, host := range hosts {
		require.NoError(t, observers.Ensure(named(host), target(host)))
	}
	require.Eventually(t, func() bool { return known() == clusters }, time.Minute, time.Millisecond)
	assert.LessOrEqual(t, server.Peak(), 32, "calls at the same time")
	// An observation under way has some goroutines of gRPC's, on both sides here.
	assert.Less(t, most-before, 900, "goroutines while all are observed")
	goroutinesAtMost(t, before+50)
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
	w.eventually(func() bool { return server.Observed() >= 100+8 }, "they hang")
	for range 5 {
		before := sound.Observed()
		w.Wake(named("sound"))
		require.Eventually(t, func() bool { return sound.Observed() > before }, 4*time.Second, time.Millisecond)
	}
	// Eight hang at the same time, and on a slow machine the next eight do already.
	assert.LessOrEqual(t, server.Observed(), 100+16)
}
