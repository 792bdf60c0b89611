// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package autoscale_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/autoscale"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
)

const seeds = 5000

// anyInput is an input as it may come: any load, executors on pods that are
// there or gone, any memory, any bounds.
func anyInput(random *rand.Rand) autoscale.Input {
	in := base(func(in *autoscale.Input) {
		in.Flame.Shape.CPU = 1 + random.Int64N(8)
		in.Flame.Gang = random.IntN(2) == 0
		in.Bounds = autoscale.Bounds{Max: 1 + random.IntN(60), Delay: time.Duration(random.IntN(300)) * time.Second, MaxStarting: max(0, random.IntN(8)-4)}
		in.Bounds.Min = random.IntN(in.Bounds.Max + 1)
		in.Start = random.IntN(40)
		in.Previous = nil
	})
	if random.IntN(3) == 0 {
		in.Flame.Policy = autoscale.DRF
	}
	for i := range random.IntN(8) {
		in.Observation.Sessions = append(in.Observation.Sessions, anySession(random, i))
	}
	for i := range random.IntN(20) {
		in.Pods = append(in.Pods, podstate.Pod{Name: fmt.Sprintf("pod-%d", i), Ready: random.IntN(4) > 0})
		if room := random.Int64N(8); room > 0 {
			in.Observation.Nodes = append(in.Observation.Nodes, node(fmt.Sprintf("pod-%d", i), observation.Resources{CPU: room, Memory: 64 * gi}))
		}
	}
	for range random.IntN(40) {
		in.Observation.Executors = append(in.Observation.Executors, bound(
			fmt.Sprintf("pod-%d", random.IntN(24)), []string{"", "s0", "s1", "s2", "closed"}[random.IntN(5)],
			observation.Resources{CPU: 1 + random.Int64N(3), Memory: gi},
		))
	}
	if random.IntN(4) > 0 {
		in.Previous = anyMemory(random)
	}
	return in
}

func anySession(random *rand.Rand, i int) observation.Session {
	s := tasks(fmt.Sprintf("s%d", i), random.IntN(30), random.IntN(10), priority(random.IntN(3)), batches(random.IntN(4)), atLeast(max(0, random.IntN(6)-3)))
	if random.IntN(3) == 0 {
		s.MaxInstances = new(int)
		*s.MaxInstances = random.IntN(12)
	}
	if random.IntN(3) == 0 {
		s.Resreq = &observation.Resources{CPU: 1 + random.Int64N(9), Memory: gi}
	}
	if random.IntN(8) == 0 {
		blocked(&s)
	}
	return s
}

func anyMemory(random *rand.Rand) *autoscale.Memory {
	m := &autoscale.Memory{Desired: random.IntN(60), Needed: random.IntN(60)}
	for i, replicas := 0, 60; i < random.IntN(5); i++ {
		replicas -= 1 + random.IntN(10)
		m.Peaks = append(m.Peaks, autoscale.Peak{Replicas: max(1, replicas), EndedAt: noon.Add(time.Duration(30*i-200) * time.Second)})
	}
	return m
}

func each(t *testing.T, check func(t *testing.T, seed uint64, in autoscale.Input)) {
	t.Helper()
	for seed := range uint64(seeds) {
		check(t, seed, anyInput(rand.New(rand.NewPCG(seed, 7))))
	}
}

// busy counts the pods that hold an executor of a session.
func busy(in autoscale.Input) int {
	live := map[string]bool{}
	for _, p := range in.Pods {
		live[p.Name] = true
	}
	busy := map[string]bool{}
	if in.Observation != nil {
		for _, e := range in.Observation.Executors {
			if e.Busy() && live[e.Node] {
				busy[e.Node] = true
			}
		}
	}
	return len(busy)
}

func TestAnyDecisionIsWithinTheBoundsAndNotBelowWhatIsBusy(t *testing.T) {
	each(t, func(t *testing.T, seed uint64, in autoscale.Input) {
		d := autoscale.Decide(in)
		require.GreaterOrEqual(t, d.Desired, in.Bounds.Min, "seed %d", seed)
		require.LessOrEqual(t, d.Desired, in.Bounds.Max, "seed %d", seed)
		require.GreaterOrEqual(t, d.Desired, min(busy(in), in.Bounds.Max), "seed %d", seed)
		require.Equal(t, d.Desired, d.Memory.Desired, "seed %d", seed)
		require.NotEmpty(t, d.Message, "seed %d", seed)
		require.LessOrEqual(t, len(d.Memory.Peaks), autoscale.MaxPeaks, "seed %d", seed)
	})
}

func TestTheOrderInWhichThingsAreListedDoesNotMatter(t *testing.T) {
	each(t, func(t *testing.T, seed uint64, in autoscale.Input) {
		want := autoscale.Decide(in)
		require.Equal(t, want, autoscale.Decide(in), "seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 8))
		random.Shuffle(len(in.Observation.Sessions), func(i, j int) {
			in.Observation.Sessions[i], in.Observation.Sessions[j] = in.Observation.Sessions[j], in.Observation.Sessions[i]
		})
		random.Shuffle(len(in.Observation.Executors), func(i, j int) {
			in.Observation.Executors[i], in.Observation.Executors[j] = in.Observation.Executors[j], in.Observation.Executors[i]
		})
		random.Shuffle(len(in.Observation.Nodes), func(i, j int) {
			in.Observation.Nodes[i], in.Observation.Nodes[j] = in.Observation.Nodes[j], in.Observation.Nodes[i]
		})
		random.Shuffle(len(in.Pods), func(i, j int) { in.Pods[i], in.Pods[j] = in.Pods[j], in.Pods[i] })
		require.Equal(t, want, autoscale.Decide(in), "seed %d", seed)
	})
}

// With the memory of a decision the same question has the same answer, so that one more
// pass, or an operator that starts anew, changes nothing. Only a limited scale-up starts
// from what was decided.
func TestDecidingTwiceDecidesTheSame(t *testing.T) {
	each(t, func(t *testing.T, seed uint64, in autoscale.Input) {
		first := autoscale.Decide(in)
		in.Previous = &first.Memory
		second := autoscale.Decide(in)
		in.Previous = &second.Memory
		require.Equal(t, first.Desired, second.Desired, "seed %d", seed)
		require.Equal(t, second, autoscale.Decide(in), "seed %d", seed)
	})
}

// Where the load does not change, the number changes no more once the delay is
// over, and nothing is left to remember.
func TestALoadThatDoesNotChangeComesToRest(t *testing.T) {
	each(t, func(t *testing.T, seed uint64, in autoscale.Input) {
		in.Bounds.MaxStarting = 0
		first := autoscale.Decide(in)
		in.Previous, in.Now = &first.Memory, in.Now.Add(in.Bounds.Delay+time.Second)
		rest := autoscale.Decide(in)
		require.Empty(t, rest.Memory.Peaks, "seed %d", seed)
		require.Zero(t, rest.After, "seed %d", seed)
		for range 3 {
			in.Previous, in.Now = &rest.Memory, in.Now.Add(time.Hour)
			require.Equal(t, rest, autoscale.Decide(in), "seed %d", seed)
		}
	})
}

// More tasks never ask for less: of one size, since first fit decreasing is not
// monotone for several, and without bounds of sessions or a session that is
// stuck, since those have others wait.
func TestMoreTasksNeverNeedFewerExecutorManagers(t *testing.T) {
	each(t, func(t *testing.T, seed uint64, in autoscale.Input) {
		for i := range in.Observation.Sessions {
			s := &in.Observation.Sessions[i]
			s.Resreq, s.MaxInstances, s.BatchSize, s.BlockedAt = nil, nil, 1, time.Time{}
		}
		for i := range in.Observation.Executors {
			in.Observation.Executors[i].Resreq = in.Flame.Slot
		}
		if len(in.Observation.Sessions) == 0 {
			return
		}
		before := autoscale.Decide(in).Desired
		in.Observation.Sessions[int(seed)%len(in.Observation.Sessions)].Pending++
		require.GreaterOrEqual(t, autoscale.Decide(in).Desired, before, "seed %d", seed)
	})
}

func TestSilenceKeepsAnyDecisionWithinTheBounds(t *testing.T) {
	each(t, func(t *testing.T, seed uint64, in autoscale.Input) {
		before := autoscale.Decide(in)
		in.Previous, in.Observation = &before.Memory, nil
		for range 3 {
			in.Now = in.Now.Add(time.Hour)
			kept := autoscale.Decide(in)
			require.Equal(t, before.Memory, kept.Memory, "seed %d", seed)
			require.Equal(t, autoscale.FlameSilent, kept.Reason, "seed %d", seed)
			in.Previous = &kept.Memory
		}
		in.Bounds.Max = max(1, in.Bounds.Min, before.Desired/2)
		require.Equal(t, min(before.Desired, in.Bounds.Max), autoscale.Decide(in).Desired, "seed %d", seed)
	})
}
