// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/podstate"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

const (
	oldHash = "old"
	newHash = "new"
)

// The pods of the tables: each is what its name says, of the new template.
func starting(name string) ExecutorManager {
	return ExecutorManager{Pod: podstate.Pod{Name: name, Hash: newHash, CreatedAt: noon.Add(-time.Minute), Scheduled: true}}
}

func unscheduled(name string) ExecutorManager {
	pod := starting(name)
	pod.Scheduled = false
	return pod
}

// ready is a pod that two observations showed without an executor.
func ready(name string) ExecutorManager {
	pod := starting(name)
	pod.Ready, pod.Connected, pod.StartedAt, pod.ReadySince = true, true, noon.Add(-50*time.Second), noon.Add(-40*time.Second)
	pod.Work = Work{Known: true, Idle: true}
	return pod
}

// cordoned is a pod that Flame has forgotten.
func cordoned(pod ExecutorManager) ExecutorManager {
	pod.Work = Work{Known: true, Idle: true, Cordoned: true}
	return pod
}

// quiet is a pod that one observation showed without an executor.
func quiet(pod ExecutorManager) ExecutorManager {
	pod.Work = Work{Known: true}
	return pod
}

func busy(pod ExecutorManager) ExecutorManager {
	pod.Work = Work{Known: true, Executors: 1, Busy: 1}
	return pod
}

// waiting is a pod with an executor that may wait for a task.
func waiting(pod ExecutorManager) ExecutorManager {
	pod.Work = Work{Known: true, Executors: 1}
	return pod
}

// unobserved is a pod of which Flame has said nothing lately.
func unobserved(pod ExecutorManager) ExecutorManager {
	pod.Work = Work{}
	return pod
}

func lost(pod ExecutorManager, ago time.Duration, useless bool) ExecutorManager {
	pod.LostSince, pod.Useless = noon.Add(-ago), useless
	return pod
}

func draining(pod ExecutorManager) ExecutorManager {
	pod.Terminating, pod.DrainsUntil = true, noon.Add(time.Hour)
	return pod
}

// cutOff is a pod that was ready once.
func cutOff(name string) ExecutorManager {
	pod := starting(name)
	pod.StartedAt, pod.Connected = noon.Add(-50*time.Second), true
	return pod
}

func failed(name string, inherited int, ago time.Duration) ExecutorManager {
	pod := starting(name)
	pod.Over, pod.StartedAt, pod.FinishedAt, pod.Failures = true, noon.Add(-ago-time.Second), noon.Add(-ago), inherited
	return pod
}

func terminating(pod ExecutorManager) ExecutorManager {
	pod.Terminating = true
	return pod
}

func outdated(pod ExecutorManager) ExecutorManager {
	pod.Hash = oldHash
	return pod
}

func readyFor(name string, d time.Duration) ExecutorManager {
	pod := ready(name)
	pod.ReadySince = noon.Add(-d)
	return pod
}

func policy(desired, surge, unavailable int) Policy {
	return Policy{Desired: desired, Hash: newHash, MaxSurge: surge, MaxUnavailable: unavailable}
}

func TestDecide(t *testing.T) {
	tests := map[string]struct {
		pods   []ExecutorManager
		policy Policy
		want   Plan
	}{
		"an empty cluster gets its pods": {
			policy: policy(3, 1, 0),
			want:   Plan{Create: make([]int, 3)},
		},
		"a cluster that has its pods is left alone": {
			pods:   []ExecutorManager{ready("a"), starting("b")},
			policy: policy(2, 1, 0),
		},
		"creations are bounded and go on soon": {
			pods:   []ExecutorManager{ready("a")},
			policy: Policy{Desired: 10, Hash: newHash, MaxSurge: 1, MaxPerStep: 4},
			want:   Plan{Create: make([]int, 4), Wait: []Wait{{MoreToCreate, 5, soon}}},
		},
		"a pod on its way out does not count, and is told of": {
			pods:   []ExecutorManager{ready("a"), terminating(ready("b"))},
			policy: policy(2, 1, 0),
			want:   Plan{Create: make([]int, 1), Wait: []Wait{{Terminating, 1, 0}}},
		},
		"an evicted pod is replaced while it drains": {
			pods:   []ExecutorManager{ready("a"), draining(busy(ready("b")))},
			policy: policy(2, 1, 0),
			want:   Plan{Create: make([]int, 1), Wait: []Wait{{Terminating, 1, 0}}},
		},
		"a draining pod whose tasks were given to others goes at once": {
			pods:   []ExecutorManager{ready("a"), lost(draining(busy(ready("b"))), time.Second, true), lost(terminating(ready("c")), time.Second, true)},
			policy: policy(1, 1, 0),
			want:   Plan{Delete: []Deletion{{"b", Lost, true}}, Wait: []Wait{{Terminating, 2, 0}}},
		},
		"a suspended cluster waits for no task": {
			pods: []ExecutorManager{
				busy(ready("a")), outdated(unobserved(ready("b"))), failed("c", 0, 0), terminating(ready("d")), draining(busy(ready("e"))),
			},
			policy: Policy{Suspended: true, Desired: 3, Hash: newHash, MaxSurge: 1},
			want: Plan{
				Delete: []Deletion{{"a", Suspended, true}, {"b", Suspended, true}, {"c", Suspended, true}, {"e", Suspended, true}},
				Wait:   []Wait{{Terminating, 2, 0}},
			},
		},
		"nothing desired lets everything go as scaling down does": {
			pods: []ExecutorManager{
				cordoned(ready("a")), outdated(busy(ready("b"))), failed("c", 0, 0), terminating(ready("d")), outdated(failed("e", 0, 0)), ready("f"),
			},
			policy: policy(0, 1, 0),
			want: Plan{
				Delete: []Deletion{{"e", Outdated, false}, {"b", Outdated, false}, {"c", ScaledDown, false}, {"a", ScaledDown, false}},
				Cordon: []string{"f"},
				Wait:   []Wait{{Terminating, 1, 0}, {Cordoning, 1, 0}},
			},
		},
		"a first failure is replaced at once": {
			pods:   []ExecutorManager{ready("a"), failed("b", 0, time.Second)},
			policy: policy(2, 1, 0),
			want:   Plan{Create: []int{1}, Delete: []Deletion{{"b", Replaced, false}}},
		},
		"a second failure stays until its back-off is over": {
			pods:   []ExecutorManager{ready("a"), failed("b", 1, 4*time.Second)},
			policy: policy(2, 1, 0),
			want:   Plan{Wait: []Wait{{BackOff, 1, 6 * time.Second}}},
		},
		"a failed pod that was replaced already goes": {
			pods:   []ExecutorManager{ready("a"), starting("b"), failed("c", 3, time.Second)},
			policy: policy(2, 1, 0),
			want:   Plan{Delete: []Deletion{{"c", ScaledDown, false}}},
		},
		"a failed pod of the old template is replaced at once, with a fresh count": {
			pods:   []ExecutorManager{outdated(failed("a", 7, time.Second)), outdated(failed("b", 7, time.Second))},
			policy: policy(2, 1, 0),
			want:   Plan{Create: make([]int, 2), Delete: []Deletion{{"a", Outdated, false}, {"b", Outdated, false}}},
		},
		"a lost pod is replaced: one that was cut off ends its tasks, one that was given up goes at once": {
			pods:   []ExecutorManager{lost(busy(cutOff("a")), time.Second, false), lost(busy(ready("b")), time.Second, true)},
			policy: policy(2, 1, 0),
			want:   Plan{Create: []int{1, 1}, Delete: []Deletion{{"a", Replaced, false}, {"b", Replaced, true}}},
		},
		"pods that get lost again and again are replaced ever more seldom": {
			pods:   []ExecutorManager{lost(withFailures(ready("a"), 2), 5*time.Second, true)},
			policy: policy(1, 1, 0),
			want:   Plan{Wait: []Wait{{BackOff, 1, 15 * time.Second}}},
		},
		"scaling down takes what is lost least": {
			pods: []ExecutorManager{
				busy(readyFor("busy", time.Minute)), waiting(ready("waiting")), readyFor("idle", time.Hour), starting("starting"),
				cordoned(ready("cordoned")), unscheduled("unscheduled"), failed("failed", 2, time.Second), quiet(ready("quiet")),
			},
			policy: policy(1, 1, 0),
			want: Plan{
				Delete: []Deletion{
					{"failed", ScaledDown, false}, {"unscheduled", ScaledDown, false}, {"starting", ScaledDown, false},
					{"cordoned", ScaledDown, false}, {"waiting", ScaledDown, false},
				},
				Cordon: []string{"idle"},
				Wait:   []Wait{{Settling, 1, 0}, {Cordoning, 1, 0}},
			},
		},
		"of equal pods the young go first": {
			pods:   []ExecutorManager{busy(readyFor("old", time.Hour)), busy(readyFor("young", time.Minute))},
			policy: policy(1, 1, 0),
			want:   Plan{Delete: []Deletion{{"young", ScaledDown, false}}},
		},
		"equal pods go by name": {
			pods:   []ExecutorManager{cordoned(ready("c")), cordoned(ready("a")), cordoned(ready("b"))},
			policy: policy(1, 1, 0),
			want:   Plan{Delete: []Deletion{{"a", ScaledDown, false}, {"b", ScaledDown, false}}},
		},
		"of busy pods that with the fewest tasks goes first": {
			pods:   []ExecutorManager{withBusy(readyFor("a", time.Minute), 3), withBusy(readyFor("b", time.Hour), 2)},
			policy: policy(1, 1, 0),
			want:   Plan{Delete: []Deletion{{"b", ScaledDown, false}}},
		},
		"no data, no deletion of a pod that may work": {
			pods:   []ExecutorManager{unobserved(ready("a")), unobserved(ready("b")), cutOff("c"), starting("d")},
			policy: policy(1, 1, 0),
			want:   Plan{Delete: []Deletion{{"d", ScaledDown, false}}, Wait: []Wait{{Unobserved, 2, 0}}},
		},
		"a pod that is being cordoned is not replaced, and no other is cordoned in its place": {
			pods:   []ExecutorManager{cordoned(waiting(ready("a"))), busyAndForgotten("b"), cordoned(ready("c")), ready("d")},
			policy: policy(3, 1, 0),
			want:   Plan{Delete: []Deletion{{"a", ScaledDown, false}}},
		},
		"a roll starts with a pod more and takes none away": {
			pods:   []ExecutorManager{outdated(ready("a")), outdated(ready("b"))},
			policy: policy(2, 1, 0),
			want:   Plan{Create: make([]int, 1), Wait: []Wait{{NotEnoughReady, 2, 0}}},
		},
		"when the new pod is ready an idle old one is cordoned": {
			pods:   []ExecutorManager{outdated(busy(ready("a"))), outdated(ready("b")), ready("c")},
			policy: policy(2, 1, 0),
			want:   Plan{Cordon: []string{"b"}, Wait: []Wait{{NotEnoughReady, 1, 0}, {Cordoning, 1, 0}}},
		},
		"when it is cordoned it goes, and the next new one comes": {
			pods:   []ExecutorManager{outdated(busy(ready("a"))), outdated(cordoned(ready("b"))), ready("c")},
			policy: policy(2, 1, 0),
			want:   Plan{Create: make([]int, 1), Delete: []Deletion{{"b", Outdated, false}}, Wait: []Wait{{NotEnoughReady, 1, 0}}},
		},
		"a busy old pod drains, and holds its place until it is gone": {
			pods:   []ExecutorManager{outdated(busy(ready("a"))), outdated(busy(ready("b"))), ready("c")},
			policy: policy(2, 1, 0),
			want:   Plan{Delete: []Deletion{{"a", Outdated, false}}, Wait: []Wait{{NotEnoughReady, 1, 0}}},
		},
		"while it drains no new one comes": {
			pods:   []ExecutorManager{outdated(draining(busy(ready("a")))), outdated(busy(ready("b"))), ready("c")},
			policy: policy(2, 1, 0),
			want:   Plan{Wait: []Wait{{Terminating, 1, 0}, {NotEnoughReady, 1, 0}}},
		},
		"old pods that are cut off drain, and hold their places from the plan on that deletes them": {
			pods:   []ExecutorManager{lost(outdated(busy(cutOff("a"))), time.Second, false), lost(outdated(busy(cutOff("b"))), time.Second, false)},
			policy: policy(2, 1, 0),
			want:   Plan{Create: make([]int, 1), Delete: []Deletion{{"a", Outdated, false}, {"b", Outdated, false}}},
		},
		"as they do in the next": {
			pods:   []ExecutorManager{outdated(draining(busy(cutOff("a")))), outdated(draining(busy(cutOff("b")))), starting("c")},
			policy: policy(2, 1, 0),
			want:   Plan{Wait: []Wait{{Terminating, 2, 0}}},
		},
		"those that were given up end at once, and hold none": {
			pods:   []ExecutorManager{lost(outdated(busy(ready("a"))), time.Second, true), lost(outdated(busy(ready("b"))), time.Second, true)},
			policy: policy(2, 1, 0),
			want:   Plan{Create: make([]int, 2), Delete: []Deletion{{"a", Outdated, true}, {"b", Outdated, true}}},
		},
		"one that is stuck beyond its grace period holds up nothing": {
			pods:   []ExecutorManager{stuck(outdated(ready("a"))), outdated(busy(ready("b"))), ready("c")},
			policy: policy(2, 1, 0),
			want:   Plan{Create: make([]int, 1), Wait: []Wait{{Terminating, 1, 0}, {NotEnoughReady, 1, 0}}},
		},
		"a roll without surge takes one away first": {
			pods:   []ExecutorManager{outdated(cordoned(ready("a"))), outdated(ready("b"))},
			policy: policy(2, 0, 1),
			want:   Plan{Create: make([]int, 1), Delete: []Deletion{{"a", Outdated, false}}, Wait: []Wait{{NotEnoughReady, 1, 0}}},
		},
		"a roll waits for Flame to speak": {
			pods:   []ExecutorManager{outdated(unobserved(ready("a"))), outdated(unobserved(ready("b"))), unobserved(ready("c"))},
			policy: policy(2, 1, 0),
			want:   Plan{Wait: []Wait{{NotEnoughReady, 1, 0}, {Unobserved, 1, 0}}},
		},
		"outdated pods that do no work go at once": {
			pods:   []ExecutorManager{outdated(unscheduled("a")), outdated(starting("b")), outdated(ready("c"))},
			policy: policy(3, 1, 0),
			want: Plan{
				Create: make([]int, 3),
				Delete: []Deletion{{"a", Outdated, false}, {"b", Outdated, false}},
				Wait:   []Wait{{NotEnoughReady, 1, 0}},
			},
		},
		"outdated pods that are cut off stay while the session manager is away": {
			pods:   []ExecutorManager{outdated(cutOff("a")), outdated(cutOff("b"))},
			policy: policy(2, 1, 0),
			want:   Plan{Create: make([]int, 1), Wait: []Wait{{NotEnoughReady, 2, 0}}},
		},
		"a template whose pods fail keeps its place and stops the roll": {
			pods:   []ExecutorManager{outdated(ready("a")), outdated(ready("b")), failed("c", 3, time.Second)},
			policy: policy(2, 1, 0),
			want:   Plan{Wait: []Wait{{NotEnoughReady, 2, 0}, {BackOff, 1, 39 * time.Second}}},
		},
		"scaling down during a roll takes an outdated pod rather than a new one": {
			pods:   []ExecutorManager{outdated(cordoned(ready("a"))), outdated(ready("b")), outdated(ready("c")), starting("d")},
			policy: policy(2, 1, 0),
			want:   Plan{Delete: []Deletion{{"a", Outdated, false}}, Wait: []Wait{{NotEnoughReady, 2, 0}}},
		},
		"going back to the old template keeps its pods": {
			pods:   []ExecutorManager{ready("a"), ready("b"), outdated(starting("c"))},
			policy: policy(2, 1, 0),
			want:   Plan{Delete: []Deletion{{"c", Outdated, false}}},
		},
		"a desired count below zero is none": {
			pods:   []ExecutorManager{cordoned(ready("a"))},
			policy: policy(-1, 1, 0),
			want:   Plan{Delete: []Deletion{{"a", ScaledDown, false}}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, Decide(test.pods, test.policy, noon))
		})
	}
}

func withFailures(pod ExecutorManager, failures int) ExecutorManager {
	pod.Failures = failures
	return pod
}

func withBusy(pod ExecutorManager, busy int) ExecutorManager {
	pod.Work = Work{Known: true, Executors: 3, Busy: busy}
	return pod
}

// busyAndForgotten is a pod that runs a task although Flame has forgotten its node.
func busyAndForgotten(name string) ExecutorManager {
	pod := busy(ready(name))
	pod.Work.Cordoned = true
	return pod
}

func stuck(pod ExecutorManager) ExecutorManager {
	pod.Terminating, pod.DrainsUntil = true, noon.Add(-time.Second)
	return pod
}

func TestPlanAfterIsTheSoonestWait(t *testing.T) {
	plan := Plan{Wait: []Wait{{Terminating, 1, 0}, {BackOff, 1, time.Minute}, {MoreToCreate, 1, time.Second}}}
	assert.Equal(t, time.Second, plan.After())
	assert.Zero(t, Plan{Wait: []Wait{{Terminating, 1, 0}}}.After())
}

func TestTheOrderOfThePodsIsOfNoConsequence(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		pods, want := randomFleet(random), randomPolicy(random)
		plan := Decide(pods, want, noon)
		before := slices.Clone(pods)
		require.Equal(t, plan, Decide(pods, want, noon), "seed %d: same input, another plan", seed)
		require.Equal(t, before, pods, "seed %d: the input was changed", seed)
		random.Shuffle(len(pods), func(i, j int) { pods[i], pods[j] = pods[j], pods[i] })
		require.Equal(t, plan, Decide(pods, want, noon), "seed %d: another order, another plan", seed)
	}
}

func randomFleet(random *rand.Rand) []ExecutorManager {
	pods := make([]ExecutorManager, random.IntN(12))
	for i := range pods {
		name := fmt.Sprintf("pod-%02d", i)
		kinds := []ExecutorManager{starting(name), unscheduled(name), ready(name), cutOff(name), busy(ready(name)), quiet(ready(name)), cordoned(ready(name)), failed(name, random.IntN(4), time.Duration(random.IntN(30))*time.Second)}
		pods[i] = kinds[random.IntN(len(kinds))]
		pods[i].CreatedAt = pods[i].CreatedAt.Add(-time.Duration(random.IntN(3)) * time.Second)
		if random.IntN(3) == 0 {
			pods[i].Hash = oldHash
		}
		pods[i].Terminating = random.IntN(8) == 0
	}
	return pods
}

func randomPolicy(random *rand.Rand) Policy {
	p := Policy{Desired: random.IntN(8), Hash: newHash, MaxSurge: random.IntN(4), MaxUnavailable: random.IntN(4), MaxPerStep: random.IntN(5)}
	if p.MaxSurge == 0 && p.MaxUnavailable == 0 {
		p.MaxSurge = 1
	}
	return p
}

func BenchmarkDecide(b *testing.B) {
	pods := make([]ExecutorManager, 1000)
	for i := range pods {
		pods[i] = ready(fmt.Sprintf("pod-%04d", i))
	}
	for b.Loop() {
		Decide(pods, policy(1000, 10, 0), noon)
	}
}
