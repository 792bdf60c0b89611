// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/xflops/flame-operator/internal/flame"
	"github.com/xflops/flame-operator/internal/flame/action"
	"github.com/xflops/flame-operator/internal/flame/flametest"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

var (
	_ manager.Runnable               = &flame.Observers{}
	_ manager.LeaderElectionRunnable = &flame.Observers{}
)

var errBroken = status.Error(codes.Internal, "broken")

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

func TestOfClosedSessionsOnlyTheTasksAreKeptUnlessSomeRun(t *testing.T) {
	over := observation.Session{ID: "over", BatchSize: 1, Pending: 1, Succeeded: 5, Failed: 2, Cancelled: 3}
	alsoOver := observation.Session{ID: "also over", BatchSize: 1, Succeeded: 1}
	runs := observation.Session{ID: "runs", BatchSize: 1, Running: 1, Succeeded: 7}
	w := newWorld(t)
	w.observe("c", observation.Observation{Sessions: []observation.Session{over, runs, alsoOver, session("open", 0, 0)}})
	o := w.Latest(named("c")).Observation
	assert.Equal(t, []observation.Session{session("open", 0, 0), runs}, o.Sessions)
	assert.Equal(t, 11, o.Ended)
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
	assert.ErrorIs(t, w.Do(t.Context(), named("c"), action.Action{Verb: action.Release, Target: "n"}), flame.ErrNotObserved)
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

func TestWhatWasDoneToANodeIsRemembered(t *testing.T) {
	w := newWorld(t)
	server := w.observe("c", observation.Observation{
		Nodes:     []observation.Node{node("n", observation.Ready), node("gone", observation.Unknown)},
		Executors: []observation.Executor{executor("1", "n", observation.Void, "")},
	})
	track := func(name string) observation.NodeTrack { return w.Latest(named("c")).Track.Nodes[name] }
	w.clock.Step(5 * time.Second)
	require.NoError(t, w.Do(t.Context(), named("c"), action.Action{Verb: action.FenceSilent, Target: "gone"}))
	assert.Equal(t, noon.Add(5*time.Second), track("gone").FencedSince)
	require.NoError(t, w.Do(t.Context(), named("c"), action.Action{Verb: action.Clear, Target: "gone"}))

	require.NoError(t, w.Do(t.Context(), named("c"), action.Action{Verb: action.Challenge, Target: "n"}))
	assert.Equal(t, noon.Add(5*time.Second), track("n").ChallengedAt)
	require.NoError(t, w.Do(t.Context(), named("c"), action.Action{Verb: action.Resync, Target: "n"}))
	server.Fail(errBroken)
	w.clock.Step(time.Second)
	require.ErrorIs(t, w.Do(t.Context(), named("c"), action.Action{Verb: action.Resync, Target: "n"}), observation.ErrAnswer)
	assert.Equal(t, 2, track("n").Resyncs, "one that failed was tried")
	assert.Equal(t, noon.Add(6*time.Second), track("n").ResyncedAt)
	require.ErrorIs(t, w.Do(t.Context(), named("c"), action.Action{Verb: action.Challenge, Target: "n"}), observation.ErrAnswer)
	assert.Equal(t, noon.Add(5*time.Second), track("n").ChallengedAt, "one that failed is none")
}

func TestFenceIsRememberedAndLookedAt(t *testing.T) {
	w := newWorld(t)
	server := w.observe("c", observation.Observation{Nodes: []observation.Node{node("n", observation.Unknown)}})
	w.clock.Step(5 * time.Second)
	require.NoError(t, w.Do(t.Context(), named("c"), action.Action{Verb: action.Fence, Target: "n"}))
	assert.Equal(t, noon.Add(5*time.Second), w.Latest(named("c")).Track.Nodes["n"].FencedSince)
	w.eventually(func() bool { return server.Observed() == 2 }, "it is looked at")
	w.eventually(func() bool { return w.wakes("c") == 2 }, "which is news")
	assert.Equal(t, noon.Add(5*time.Second), w.Latest(named("c")).Track.Nodes["n"].FencedSince)

	w.Observers.SetInterval(named("c"), time.Hour)
	server.Fail(errBroken)
	w.clock.Step(5 * time.Second)
	require.ErrorIs(t, w.Do(t.Context(), named("c"), action.Action{Verb: action.Fence, Target: "n"}), observation.ErrAnswer)
	assert.Equal(t, noon.Add(5*time.Second), w.Latest(named("c")).Track.Nodes["n"].FencedSince, "one that failed is none")
}

func TestObserversThatAreNotStartedObserveWhenTheyAreAsked(t *testing.T) {
	network := flametest.NewNetwork(t)
	server := network.Serve("c")
	o := flame.NewObservers(network.Dial, clocktesting.NewFakeClock(noon))
	o.Observe(t.Context(), named("c"))
	assert.Equal(t, observation.Latest{}, o.Latest(named("c")), "it is not one of them")

	require.NoError(t, o.Ensure(named("c"), target("c")))
	server.Set(idleNode)
	o.Observe(t.Context(), named("c"))
	require.True(t, o.Latest(named("c")).Known())
	assert.Equal(t, idleNode.Nodes, o.Latest(named("c")).Observation.Nodes)

	server.Fail(errBroken)
	o.Observe(t.Context(), named("c"))
	assert.ErrorIs(t, o.Latest(named("c")).Err, observation.ErrAnswer)
}
