// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package executors

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

const (
	oldHash = "old"
	newHash = "new"
)

// The pods of the tables: each is what its name says, of the new template.
func starting(name string) Pod {
	return Pod{Name: name, Hash: newHash, CreatedAt: noon.Add(-time.Minute), Scheduled: true}
}

func unscheduled(name string) Pod {
	pod := starting(name)
	pod.Scheduled = false
	return pod
}

func ready(name string) Pod {
	pod := starting(name)
	pod.Ready, pod.StartedAt, pod.ReadySince = true, noon.Add(-50*time.Second), noon.Add(-40*time.Second)
	return pod
}

// cutOff is a pod that was ready once.
func cutOff(name string) Pod {
	pod := starting(name)
	pod.StartedAt, pod.Connected = noon.Add(-50*time.Second), true
	return pod
}

func failed(name string, inherited int, ago time.Duration) Pod {
	pod := starting(name)
	pod.Finished, pod.StartedAt, pod.FinishedAt, pod.Failures = true, noon.Add(-ago-time.Second), noon.Add(-ago), inherited
	return pod
}

func terminating(pod Pod) Pod {
	pod.Terminating = true
	return pod
}

func outdated(pod Pod) Pod {
	pod.Hash = oldHash
	return pod
}

func readyFor(name string, d time.Duration) Pod {
	pod := ready(name)
	pod.ReadySince = noon.Add(-d)
	return pod
}

func policy(desired, surge, unavailable int) Policy {
	return Policy{Desired: desired, Hash: newHash, MaxSurge: surge, MaxUnavailable: unavailable}
}

func TestDecide(t *testing.T) {
	tests := map[string]struct {
		pods   []Pod
		policy Policy
		want   Plan
	}{
		"an empty cluster gets its pods": {
			policy: policy(3, 1, 0),
			want:   Plan{Create: make([]Creation, 3)},
		},
		"a cluster that has its pods is left alone": {
			pods:   []Pod{ready("a"), starting("b")},
			policy: policy(2, 1, 0),
		},
		"creations are bounded and go on soon": {
			pods:   []Pod{ready("a")},
			policy: Policy{Desired: 10, Hash: newHash, MaxSurge: 1, MaxPerStep: 4},
			want:   Plan{Create: make([]Creation, 4), Wait: []Wait{{MoreToCreate, 5, soon}}},
		},
		"a pod on its way out does not count, and is told of": {
			pods:   []Pod{ready("a"), terminating(ready("b"))},
			policy: policy(2, 1, 0),
			want:   Plan{Create: make([]Creation, 1), Wait: []Wait{{Terminating, 1, 0}}},
		},
		"nothing desired deletes everything": {
			pods:   []Pod{ready("a"), outdated(ready("b")), failed("c", 0, 0), terminating(ready("d")), outdated(failed("e", 0, 0))},
			policy: policy(0, 1, 0),
			want: Plan{
				Delete: []Deletion{{"e", ScaledDown}, {"c", ScaledDown}, {"b", ScaledDown}, {"a", ScaledDown}},
				Wait:   []Wait{{Terminating, 1, 0}},
			},
		},
		"a first failure is replaced at once": {
			pods:   []Pod{ready("a"), failed("b", 0, time.Second)},
			policy: policy(2, 1, 0),
			want:   Plan{Create: []Creation{{Failures: 1}}, Delete: []Deletion{{"b", Replaced}}},
		},
		"a second failure stays until its back-off is over": {
			pods:   []Pod{ready("a"), failed("b", 1, 4*time.Second)},
			policy: policy(2, 1, 0),
			want:   Plan{Wait: []Wait{{BackOff, 1, 6 * time.Second}}},
		},
		"a failed pod that was replaced already goes": {
			pods:   []Pod{ready("a"), starting("b"), failed("c", 3, time.Second)},
			policy: policy(2, 1, 0),
			want:   Plan{Delete: []Deletion{{"c", ScaledDown}}},
		},
		"a failed pod of the old template is replaced at once, with a fresh count": {
			pods:   []Pod{outdated(failed("a", 7, time.Second)), outdated(failed("b", 7, time.Second))},
			policy: policy(2, 1, 0),
			want:   Plan{Create: make([]Creation, 2), Delete: []Deletion{{"a", Outdated}, {"b", Outdated}}},
		},
		"scaling down takes what is lost least, first the finished, then the others by their progress": {
			pods: []Pod{
				readyFor("old", time.Hour), readyFor("young", time.Minute), starting("starting"),
				unscheduled("unscheduled"), failed("failed", 2, time.Second),
			},
			policy: policy(1, 1, 0),
			want: Plan{Delete: []Deletion{
				{"failed", ScaledDown}, {"unscheduled", ScaledDown}, {"starting", ScaledDown}, {"young", ScaledDown},
			}},
		},
		"equal pods go by name": {
			pods:   []Pod{ready("c"), ready("a"), ready("b")},
			policy: policy(1, 1, 0),
			want:   Plan{Delete: []Deletion{{"a", ScaledDown}, {"b", ScaledDown}}},
		},
		"a roll starts with a pod more and takes none away": {
			pods:   []Pod{outdated(ready("a")), outdated(ready("b"))},
			policy: policy(2, 1, 0),
			want:   Plan{Create: make([]Creation, 1), Wait: []Wait{{NotEnoughReady, 2, 0}}},
		},
		"a roll goes on when the new pod is ready": {
			pods:   []Pod{outdated(ready("a")), outdated(ready("b")), ready("c")},
			policy: policy(2, 1, 0),
			want:   Plan{Create: make([]Creation, 1), Delete: []Deletion{{"a", Outdated}}, Wait: []Wait{{NotEnoughReady, 1, 0}}},
		},
		"a roll without surge takes one away first": {
			pods:   []Pod{outdated(ready("a")), outdated(ready("b"))},
			policy: policy(2, 0, 1),
			want:   Plan{Create: make([]Creation, 1), Delete: []Deletion{{"a", Outdated}}, Wait: []Wait{{NotEnoughReady, 1, 0}}},
		},
		"outdated pods that do no work go at once": {
			pods:   []Pod{outdated(unscheduled("a")), outdated(starting("b")), outdated(ready("c"))},
			policy: policy(3, 1, 0),
			want: Plan{
				Create: make([]Creation, 3),
				Delete: []Deletion{{"a", Outdated}, {"b", Outdated}},
				Wait:   []Wait{{NotEnoughReady, 1, 0}},
			},
		},
		"outdated pods that are cut off stay while the session manager is away": {
			pods:   []Pod{outdated(cutOff("a")), outdated(cutOff("b"))},
			policy: policy(2, 1, 0),
			want:   Plan{Create: make([]Creation, 1), Wait: []Wait{{NotEnoughReady, 2, 0}}},
		},
		"an outdated pod that is cut off goes when enough others are ready": {
			pods:   []Pod{outdated(cutOff("a")), ready("b"), ready("c")},
			policy: policy(2, 1, 0),
			want:   Plan{Delete: []Deletion{{"a", Outdated}}},
		},
		"a template whose pods fail keeps its place and stops the roll": {
			pods:   []Pod{outdated(ready("a")), outdated(ready("b")), failed("c", 3, time.Second)},
			policy: policy(2, 1, 0),
			want:   Plan{Wait: []Wait{{NotEnoughReady, 2, 0}, {BackOff, 1, 39 * time.Second}}},
		},
		"scaling down during a roll takes an outdated pod rather than a new one": {
			pods:   []Pod{outdated(ready("a")), outdated(ready("b")), outdated(ready("c")), starting("d")},
			policy: policy(2, 1, 0),
			want:   Plan{Delete: []Deletion{{"a", Outdated}}, Wait: []Wait{{NotEnoughReady, 2, 0}}},
		},
		"going back to the old template keeps its pods": {
			pods:   []Pod{ready("a"), ready("b"), outdated(starting("c"))},
			policy: policy(2, 1, 0),
			want:   Plan{Delete: []Deletion{{"c", Outdated}}},
		},
		"a desired count below zero is none": {
			pods:   []Pod{ready("a")},
			policy: policy(-1, 1, 0),
			want:   Plan{Delete: []Deletion{{"a", ScaledDown}}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, Decide(test.pods, test.policy, noon))
		})
	}
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

func randomFleet(random *rand.Rand) []Pod {
	pods := make([]Pod, random.IntN(12))
	for i := range pods {
		name := fmt.Sprintf("pod-%02d", i)
		kinds := []Pod{starting(name), unscheduled(name), ready(name), cutOff(name), failed(name, random.IntN(4), time.Duration(random.IntN(30))*time.Second)}
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
	pods := make([]Pod, 1000)
	for i := range pods {
		pods[i] = ready(fmt.Sprintf("pod-%04d", i))
	}
	for b.Loop() {
		Decide(pods, policy(1000, 10, 0), noon)
	}
}
