// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package autoscale_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/autoscale"
	"github.com/xflops/flame-operator/internal/podstate"
)

const minute = time.Minute

// play decides again and again, with the memory of the decision before.
type play struct {
	t    *testing.T
	in   autoscale.Input
	last autoscale.Decision
}

func newPlay(t *testing.T, in autoscale.Input) *play {
	t.Helper()
	return &play{t: t, in: in}
}

// at decides when this much time has passed since noon, with a session of so many tasks.
func (p *play) at(after time.Duration, pending int) *play {
	p.in.Observation = with(tasks("s", pending, 0)).Observation
	return p.decide(after)
}

func (p *play) silent(after time.Duration) *play {
	p.in.Observation = nil
	return p.decide(after)
}

func (p *play) decide(after time.Duration) *play {
	p.in.Now = noon.Add(after)
	p.last = autoscale.Decide(p.in)
	p.in.Previous = &p.last.Memory
	return p
}

func (p *play) want(desired int, reason autoscale.Reason) *play {
	p.t.Helper()
	require.Equal(p.t, desired, p.last.Desired)
	require.Equal(p.t, reason, p.last.Reason, p.last.Message)
	return p
}

func TestUpAtOnceAndDownAfterTheDelay(t *testing.T) {
	p := newPlay(t, base(nil))
	p.at(0, 0).want(0, autoscale.FollowingLoad)
	p.at(10*time.Second, 8).want(8, autoscale.FollowingLoad)
	assert.Equal(t, noon.Add(10*time.Second), p.last.Memory.ScaledAt)
	p.at(20*time.Second, 3).want(8, autoscale.ScaleDownDelay)
	assert.Equal(t, 2*minute, p.last.After)
	assert.Equal(t, noon.Add(10*time.Second), p.last.Memory.ScaledAt)
	p.at(20*time.Second+2*minute-1, 3).want(8, autoscale.ScaleDownDelay)
	assert.Equal(t, time.Duration(1), p.last.After)
	p.at(20*time.Second+2*minute, 3).want(3, autoscale.FollowingLoad)
	assert.Zero(t, p.last.After)
	assert.Equal(t, autoscale.Memory{Desired: 3, Needed: 3, ScaledAt: noon.Add(20*time.Second + 2*minute)}, p.last.Memory)
}

func TestDownToTheMostThatWasNeededMeanwhile(t *testing.T) {
	p := newPlay(t, base(nil))
	p.at(0, 8).at(30*time.Second, 2).at(60*time.Second, 5).at(90*time.Second, 1).want(8, autoscale.ScaleDownDelay)
	p.at(30*time.Second+2*minute, 1).want(5, autoscale.ScaleDownDelay)
	p.at(90*time.Second+2*minute, 1).want(1, autoscale.FollowingLoad)
}

func TestALoadThatComesAndGoesWithinTheDelayKeepsTheNumber(t *testing.T) {
	p := newPlay(t, base(nil)).at(0, 8)
	for i := 1; i < 100; i++ {
		p.at(time.Duration(i)*minute, 8*(i%2))
		require.Equal(t, 8, p.last.Desired)
	}
}

func TestWithoutADelayTheNumberFollowsAtOnce(t *testing.T) {
	in := base(nil)
	in.Bounds.Delay = 0
	newPlay(t, in).at(0, 8).want(8, autoscale.FollowingLoad).at(time.Second, 2).want(2, autoscale.FollowingLoad)
}

func TestTheBoundsAlwaysHold(t *testing.T) {
	in := base(bounds(2, 6))
	p := newPlay(t, in)
	p.at(0, 0).want(2, autoscale.AtMinimum)
	p.at(10*time.Second, 9).want(6, autoscale.AtMaximum)
	p.in.Bounds.Max = 4
	p.at(20*time.Second, 9).want(4, autoscale.AtMaximum)
	p.in.Bounds.Max = 20
	p.at(30*time.Second, 0).want(4, autoscale.ScaleDownDelay)
	p.in.Bounds.Min = 5
	p.at(40*time.Second, 0).want(5, autoscale.AtMinimum)
}

func TestAPeakNeverLiftsTheNumberAgain(t *testing.T) {
	p := newPlay(t, base(nil))
	p.at(0, 10).at(10*time.Second, 2).want(10, autoscale.ScaleDownDelay)
	p.in.Bounds.Max = 3
	p.at(20*time.Second, 2).want(3, autoscale.ScaleDownDelay)
	p.in.Bounds.Max = 100
	p.at(30*time.Second, 2).want(3, autoscale.ScaleDownDelay)
}

func TestBusyExecutorManagersStayUnlessMaximumIsLess(t *testing.T) {
	in := pods(with(tasks("s", 0, 0)), []string{"s"}, []string{"s"}, []string{"s"})
	assert.Equal(t, 3, autoscale.Decide(in).Desired)
	in.Bounds.Max = 2
	assert.Equal(t, 2, autoscale.Decide(in).Desired)
	assert.Equal(t, autoscale.AtMaximum, autoscale.Decide(in).Reason)
}

func TestWhileFlameIsSilentTheLastDecisionStands(t *testing.T) {
	p := newPlay(t, base(nil))
	p.at(0, 8).silent(minute).want(8, autoscale.FlameSilent)
	p.silent(time.Hour).want(8, autoscale.FlameSilent)
	p.in.Bounds.Max = 5
	p.silent(2*time.Hour).want(5, autoscale.FlameSilent)
	p.in.Bounds.Min, p.in.Bounds.Max = 9, 20
	p.silent(3*time.Hour).want(9, autoscale.FlameSilent)
	p.in.Bounds.Min = 0
	p.at(4*time.Hour, 1).want(8, autoscale.ScaleDownDelay)
	p.at(4*time.Hour+2*minute, 1).want(1, autoscale.FollowingLoad)
}

func TestWithoutADecisionBeforeTheStartingCountStands(t *testing.T) {
	in := base(func(in *autoscale.Input) { in.Previous, in.Start = nil, 3 })
	p := newPlay(t, in)
	p.silent(0).want(3, autoscale.FlameSilent)
	assert.Zero(t, p.last.Memory.ScaledAt)
	p.at(time.Minute, 0).want(3, autoscale.ScaleDownDelay)
	p.at(3*time.Minute, 0).want(0, autoscale.FollowingLoad)

	newPlay(t, in).at(0, 0).want(3, autoscale.ScaleDownDelay)
	newPlay(t, in).at(0, 5).want(5, autoscale.FollowingLoad)
	newPlay(t, edit(in, bounds(0, 2))).silent(0).want(2, autoscale.FlameSilent)
	newPlay(t, edit(in, bounds(4, 9))).silent(0).want(4, autoscale.FlameSilent)
}

func TestAScaleUpStartsNoMoreThanMaxStartingAtOnce(t *testing.T) {
	in := base(func(in *autoscale.Input) { in.Bounds.MaxStarting = 4 })
	p := newPlay(t, in)
	p.at(0, 10).want(4, autoscale.ScaleUpLimited)
	p.in.Pods = make([]podstate.Pod, 4)
	p.at(10*time.Second, 10).want(4, autoscale.ScaleUpLimited)
	for i := range p.in.Pods[:3] {
		p.in.Pods[i].Ready = true
	}
	p.at(20*time.Second, 10).want(7, autoscale.ScaleUpLimited)
	p.in.Pods = nil // None is ready while the session manager restarts.
	p.at(30*time.Second, 10).want(7, autoscale.ScaleUpLimited)
	p.in.Bounds.Min = 9
	p.at(40*time.Second, 10).want(9, autoscale.ScaleUpLimited)
	p.in.Pods = pods(base(nil), make([][]string, 9)...).Pods
	p.at(50*time.Second, 10).want(10, autoscale.FollowingLoad)
}

func TestPodsThatGoOrHaveEndedAreNotReadyForAScaleUp(t *testing.T) {
	p := newPlay(t, base(func(in *autoscale.Input) { in.Bounds.MaxStarting = 4 }))
	p.in.Pods = []podstate.Pod{{Name: "a", Ready: true}, {Name: "b", Ready: true, Terminating: true}, {Name: "c", Ready: true, Ended: true}, {Name: "d", Ready: true, Over: true}}
	p.at(0, 10).want(5, autoscale.ScaleUpLimited)
}

func TestALoadThatEndsWhileAScaleUpIsLimitedStopsIt(t *testing.T) {
	p := newPlay(t, base(func(in *autoscale.Input) { in.Bounds.MaxStarting = 4 }))
	p.at(0, 50).want(4, autoscale.ScaleUpLimited)
	p.in.Pods = pods(base(nil), make([][]string, 4)...).Pods
	p.at(10*time.Second, 0).want(4, autoscale.ScaleDownDelay)
	p.at(10*time.Second+2*minute, 0).want(0, autoscale.FollowingLoad)
}

func TestTheMemoryStaysSmallAndForgetsNothingEarly(t *testing.T) {
	p := newPlay(t, base(nil))
	for second := range 100 {
		p.at(time.Duration(second)*time.Second, 100-second)
		require.LessOrEqual(t, len(p.last.Memory.Peaks), autoscale.MaxPeaks)
	}
	for second := 100; second < 400; second++ {
		p.at(time.Duration(second)*time.Second, 1)
		mostNeeded := 1
		if ago := second - 119; ago < 100 {
			mostNeeded = 100 - max(0, ago-1)
		}
		require.GreaterOrEqual(t, p.last.Desired, mostNeeded, "after %d seconds", second)
		require.LessOrEqual(t, len(p.last.Memory.Peaks), autoscale.MaxPeaks)
	}
	p.want(1, autoscale.FollowingLoad)
}

func TestTimesThatAreRememberedAreWholeSecondsAndNeverEarly(t *testing.T) {
	p := newPlay(t, base(nil))
	p.at(0, 5).at(1500*time.Millisecond, 1)
	assert.Equal(t, []autoscale.Peak{{Replicas: 5, EndedAt: noon.Add(2 * time.Second)}}, p.last.Memory.Peaks)
}

func TestAClockThatRanAheadDoesNotKeepExecutorManagersForLong(t *testing.T) {
	p := newPlay(t, base(nil))
	p.at(24*time.Hour, 5).at(24*time.Hour+time.Second, 1).want(5, autoscale.ScaleDownDelay)
	p.at(0, 1).want(5, autoscale.ScaleDownDelay)
	p.at(2*minute, 1).want(1, autoscale.FollowingLoad)
}

func TestADecisionDoesNotChangeItsInput(t *testing.T) {
	memory := autoscale.Memory{Desired: 9, Needed: 6, Peaks: []autoscale.Peak{{9, noon.Add(-minute)}, {7, noon.Add(time.Hour)}}}
	load := func() autoscale.Input {
		return pods(with(tasks("b", 2, 0, priority(1)), tasks("a", 0, 1)), []string{"a"})
	}
	in := load()
	in.Previous = &memory
	copied := autoscale.Memory{Desired: 9, Needed: 6, Peaks: []autoscale.Peak{{9, noon.Add(-minute)}, {7, noon.Add(time.Hour)}}}
	first := autoscale.Decide(in)
	assert.Equal(t, copied, memory)
	assert.Equal(t, load().Observation, in.Observation)
	assert.Equal(t, first, autoscale.Decide(in))
}
