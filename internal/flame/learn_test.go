// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/xflops/flame-operator/internal/flame/action"
	"github.com/xflops/flame-operator/internal/flame/flametest"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

func cluster1(host string) (types.NamespacedName, Target) {
	return types.NamespacedName{Namespace: "ns", Name: host}, Target{Frontend: host + ":8080", Backend: host + ":8081"}
}

func TestWhileOneClusterIsWorkedOnTheOthersGoOn(t *testing.T) {
	network := flametest.NewNetwork(t)
	server := network.Serve("busy", "other", "late")
	o := NewObservers(network.Dial, clock.RealClock{})
	busy, busyTarget := cluster1("busy")
	other, otherTarget := cluster1("other")
	late, lateTarget := cluster1("late")
	require.NoError(t, o.Ensure(busy, busyTarget))
	require.NoError(t, o.Ensure(other, otherTarget))
	o.Observe(t.Context(), busy)
	before := o.Latest(busy).Observation.At

	known := o.find(busy).known
	known.turn.Lock() // As long as this is held, its next observation is being worked on.
	seen := make(chan struct{})
	go func() {
		defer close(seen)
		o.Observe(t.Context(), busy)
	}()
	require.Eventually(t, func() bool { return server.Observed() == 2 }, 10*time.Second, time.Millisecond)
	time.Sleep(20 * time.Millisecond)

	assert.Equal(t, before, o.Latest(busy).Observation.At, "what was known before is known meanwhile")
	o.Observe(t.Context(), other)
	assert.True(t, o.Latest(other).Known())
	require.NoError(t, o.Do(t.Context(), other, action.Action{Verb: action.Fence, Target: "n"}))
	require.NoError(t, o.Ensure(late, lateTarget))
	o.Wake(busy)
	o.SetInterval(busy, Urgent)
	o.Forget(late)

	known.turn.Unlock()
	<-seen
	assert.True(t, o.Latest(busy).Observation.At.After(before))
}

func TestWhatIsLearntAtTheSameTimeIsKeptTogether(t *testing.T) {
	o, k := NewObservers(nil, clock.RealClock{}), &known{}
	var group sync.WaitGroup
	at := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for i := range 100 {
		group.Go(func() {
			o.learn(k, func(l observation.Latest) observation.Latest { return l.Fenced(fmt.Sprint(i), at) }, func(bool) {})
		})
		group.Go(func() {
			o.learn(k, func(l observation.Latest) observation.Latest { return l.Failed(observation.ErrTimeout, at) }, func(bool) {})
		})
	}
	group.Wait()
	assert.Len(t, k.last.Track.Nodes, 100)
	assert.Equal(t, observation.ErrTimeout, k.last.Err)
}

func TestLargeClustersShareARoomAndSmallOnesDoNot(t *testing.T) {
	o := NewObservers(nil, clock.RealClock{})
	admit := func(host string, entries int) error {
		name, target := cluster1(host)
		require.NoError(t, o.Ensure(name, target))
		return o.admit(name, o.find(name), entries)
	}
	require.NoError(t, admit("a", 50_000))
	require.NoError(t, admit("b", 49_000))
	require.NoError(t, admit("small", 1000))
	require.NoError(t, admit("small too", 1000), "more than all may have together, but undisputed")
	require.ErrorIs(t, admit("c", 1001), observation.ErrTooLarge)
	require.NoError(t, admit("b", 48_000), "it has fewer now")
	require.ErrorIs(t, admit("c", 1001), observation.ErrTooLarge)
	name, target := cluster1("a")
	target.UID = "another of the name"
	require.NoError(t, o.Ensure(name, target))
	require.NoError(t, admit("c", 50_000))
	gone := o.find(name)
	o.Forget(name)
	require.NoError(t, o.admit(name, gone, 10_000), "what was forgotten takes no room")
	assert.Equal(t, 48_000+50_000+2000, o.entries)
}
