// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/podstate"
)

func ago(d time.Duration) time.Time { return noon.Add(-d) }

// serving is a pod that works; the tables change what matters.
func serving(change func(*podstate.Pod)) *podstate.Pod {
	pod := &podstate.Pod{Hash: newHash, Ready: true, InService: true, CreatedAt: ago(time.Minute), StartedAt: ago(time.Minute)}
	if change != nil {
		change(pod)
	}
	return pod
}

func TestAPodHasLeftItsServiceWhenTheNodesHadTimeToNotice(t *testing.T) {
	tests := map[string]struct {
		pod  *podstate.Pod
		want bool
	}{
		"one that serves has not":            {pod: serving(nil)},
		"nor one that was taken out of late": {pod: serving(func(p *podstate.Pod) { p.InService, p.WithdrawnAt = false, ago(2*time.Second) })},
		"one that was taken out in time has": {pod: serving(func(p *podstate.Pod) { p.InService, p.WithdrawnAt = false, ago(3*time.Second) }), want: true},
		"one of which nobody knows when":     {pod: serving(func(p *podstate.Pod) { p.InService = false })},
		"one that ended swallows all":        {pod: serving(func(p *podstate.Pod) { p.InService, p.WithdrawnAt, p.Over = false, ago(time.Minute), true })},
		"there is none":                      {},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, HasLeft(test.pod, noon))
		})
	}
}

func TestNoReplacementIsPlannedWhileTheStorageGoesWithThePod(t *testing.T) {
	for name, test := range map[string]struct {
		pod  *podstate.Pod
		want Step
	}{
		"an outdated pod stays":        {serving(func(p *podstate.Pod) { p.Hash = oldHash }), Step{Action: Keep, Reason: UpToDate}},
		"also if it is not ready":      {serving(func(p *podstate.Pod) { p.Hash, p.Ready = oldHash, false }), Step{Action: Keep, Reason: UpToDate}},
		"one that had left comes back": {serving(func(p *podstate.Pod) { p.Hash, p.InService, p.WithdrawnAt = oldHash, false, ago(time.Second) }), Step{Action: Restore, Reason: UpToDate}},
		"one that is over is replaced": {serving(func(p *podstate.Pod) { p.Hash, p.Over = oldHash, true }), Step{Action: Recreate, Reason: Outdated}},
		"one that is gone is made":     {nil, Step{Action: Create, Reason: Absent}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, NextStep(test.pod, Held(test.pod, newHash), false, noon))
		})
	}
}

func TestNext(t *testing.T) {
	tests := map[string]struct {
		pod       *podstate.Pod
		suspended bool
		want      Step
	}{
		"a pod that does not exist is created": {
			want: Step{Action: Create, Reason: Absent},
		},
		"a suspended cluster gets none": {
			suspended: true,
			want:      Step{Action: Keep, Reason: Suspended},
		},
		"a pod that is as wanted is left alone": {
			pod:  serving(nil),
			want: Step{Action: Keep, Reason: UpToDate},
		},
		"so is one that is not ready yet": {
			pod:  serving(func(p *podstate.Pod) { p.Ready = false }),
			want: Step{Action: Keep, Reason: UpToDate},
		},
		"suspending deletes at once": {
			pod:       serving(nil),
			suspended: true,
			want:      Step{Action: Delete, Reason: Suspended},
		},
		"a pod on its way out is waited for": {
			pod:  serving(func(p *podstate.Pod) { p.Terminating, p.Hash = true, oldHash }),
			want: Step{Action: Keep, Reason: Terminating},
		},
		"also if the cluster is suspended": {
			pod:       serving(func(p *podstate.Pod) { p.Terminating = true }),
			suspended: true,
			want:      Step{Action: Keep, Reason: Terminating},
		},
		"an outdated pod leaves its Service first": {
			pod:  serving(func(p *podstate.Pod) { p.Hash = oldHash }),
			want: Step{Action: Withdraw, Reason: Outdated, After: 3 * time.Second},
		},
		"and stays until the nodes know": {
			pod:  serving(func(p *podstate.Pod) { p.Hash, p.InService, p.WithdrawnAt = oldHash, false, ago(time.Second) }),
			want: Step{Action: Keep, Reason: Outdated, After: 2 * time.Second},
		},
		"and is deleted then": {
			pod:  serving(func(p *podstate.Pod) { p.Hash, p.InService, p.WithdrawnAt = oldHash, false, ago(3*time.Second) }),
			want: Step{Action: Delete, Reason: Outdated},
		},
		"a withdrawal without a time is done again": {
			pod:  serving(func(p *podstate.Pod) { p.Hash, p.InService = oldHash, false }),
			want: Step{Action: Withdraw, Reason: Outdated, After: 3 * time.Second},
		},
		"so is one in the future": {
			pod:  serving(func(p *podstate.Pod) { p.Hash, p.InService, p.WithdrawnAt = oldHash, false, ago(-time.Hour) }),
			want: Step{Action: Withdraw, Reason: Outdated, After: 3 * time.Second},
		},
		"a clock that is a little ahead lengthens nothing": {
			pod:  serving(func(p *podstate.Pod) { p.Hash, p.InService, p.WithdrawnAt = oldHash, false, ago(-2*time.Second) }),
			want: Step{Action: Keep, Reason: Outdated, After: 3 * time.Second},
		},
		"an earlier withdrawal does not count for a pod that is back in its Service": {
			pod:  serving(func(p *podstate.Pod) { p.Hash, p.WithdrawnAt = oldHash, ago(time.Hour) }),
			want: Step{Action: Withdraw, Reason: Outdated, After: 3 * time.Second},
		},
		"an outdated pod that serves nobody is deleted at once": {
			pod:  serving(func(p *podstate.Pod) { p.Hash, p.Ready = oldHash, false }),
			want: Step{Action: Delete, Reason: Outdated},
		},
		"a pod goes back into its Service when the reason to replace it is gone": {
			pod:  serving(func(p *podstate.Pod) { p.InService, p.WithdrawnAt = false, ago(time.Second) }),
			want: Step{Action: Restore, Reason: UpToDate},
		},
		"a first failure is replaced at once": {
			pod:  serving(func(p *podstate.Pod) { p.Over, p.Ready, p.FinishedAt = true, false, ago(0) }),
			want: Step{Action: Recreate, Reason: Failed, Failures: 1},
		},
		"a third failure waits": {
			pod:  serving(func(p *podstate.Pod) { p.Over, p.Ready, p.FinishedAt, p.Failures = true, false, ago(5*time.Second), 2 }),
			want: Step{Action: Keep, Reason: Failed, After: 15 * time.Second},
		},
		"and is replaced when it has waited": {
			pod:  serving(func(p *podstate.Pod) { p.Over, p.Ready, p.FinishedAt, p.Failures = true, false, ago(20*time.Second), 2 }),
			want: Step{Action: Recreate, Reason: Failed, Failures: 3},
		},
		"a failed pod of another template is replaced at once, with a fresh count": {
			pod:  serving(func(p *podstate.Pod) { p.Over, p.Hash, p.FinishedAt, p.Failures = true, oldHash, ago(0), 9 }),
			want: Step{Action: Recreate, Reason: Outdated},
		},
		"a failed pod of a suspended cluster is deleted": {
			pod:       serving(func(p *podstate.Pod) { p.Over = true }),
			suspended: true,
			want:      Step{Action: Delete, Reason: Suspended},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, NextStep(test.pod, newHash, test.suspended, noon))
		})
	}
}

// TestAPodThatServesIsNeverDeletedUnlessItWasWithdrawn lets wishes and pods change at
// random, and carries steps out or skips them.
func TestAPodThatServesIsNeverDeletedUnlessItWasWithdrawn(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 3))
		now, hash, suspended := noon, newHash, false
		var pod *podstate.Pod
		outOfService := time.Time{}
		for range 200 {
			now = now.Add(time.Duration(random.IntN(4000)) * time.Millisecond)
			switch random.IntN(12) {
			case 0:
				hash = []string{oldHash, newHash}[random.IntN(2)]
			case 1:
				suspended = random.IntN(3) == 0
			case 2, 3:
				continue // The operator is away.
			}
			step := NextStep(pod, hash, suspended, now)
			require.Equal(t, step, NextStep(pod, hash, suspended, now), "same input, another step")
			if step.Action == Delete && pod.Ready && !suspended {
				require.False(t, pod.InService, "seed %d: deleted in service", seed)
				require.GreaterOrEqual(t, now.Sub(outOfService), withdrawal, "seed %d: deleted too early", seed)
			}
			if step.Action == Withdraw {
				outOfService = now
			}
			pod = after(t, pod, step, hash, now)
			pod = live(pod, random, now)
		}
		for range 100 {
			now = now.Add(10 * time.Second)
			pod = settle(after(t, pod, NextStep(pod, hash, false, now), hash, now), now)
		}
		require.NotNil(t, pod)
		require.Equal(t, Step{Action: Keep, Reason: UpToDate}, NextStep(pod, hash, false, now), "seed %d: does not settle", seed)
	}
}

// after returns the pod that a step makes of a pod.
func after(t *testing.T, pod *podstate.Pod, step Step, hash string, now time.Time) *podstate.Pod {
	t.Helper()
	fresh := &podstate.Pod{Hash: hash, InService: true, CreatedAt: now, Failures: step.Failures}
	switch step.Action {
	case Create:
		require.Nil(t, pod, "a second pod")
		return fresh
	case Recreate:
		require.True(t, pod.Over, "a second pod")
		return fresh
	case Withdraw:
		pod.InService, pod.WithdrawnAt = false, now
	case Restore:
		pod.InService = true
	case Delete:
		pod.Terminating = true
	case Keep:
	}
	return pod
}

func live(p *podstate.Pod, random *rand.Rand, now time.Time) *podstate.Pod {
	if p != nil && !p.Terminating && random.IntN(15) == 0 {
		p.Over, p.Ready, p.FinishedAt = true, false, now
		return p
	}
	if random.IntN(2) == 0 {
		return p
	}
	return settle(p, now)
}

func settle(p *podstate.Pod, now time.Time) *podstate.Pod {
	switch {
	case p == nil || p.Terminating:
		return nil
	case !p.Over:
		p.Ready = true
		if p.StartedAt.IsZero() {
			p.StartedAt = now
		}
	}
	return p
}
