// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/podstate"
)

// world is a simulated cluster: it does what plans say, and what kubelets do.
type world struct {
	t      *testing.T
	random *rand.Rand
	now    time.Time
	pods   []ExecutorManager
	named  int
	// broken templates make pods that fail before they are ready.
	broken map[string]bool
	// harm lets pods fail, vanish or lose their connection at random. The connection of
	// stuck pods does not come back.
	harm  bool
	stuck map[string]bool
	// cordoned pods are those that Flame was told to forget.
	cordoned map[string]bool
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	return &world{t: t, random: rand.New(rand.NewPCG(seed, 2)), now: noon, broken: map[string]bool{}, stuck: map[string]bool{}, cordoned: map[string]bool{}}
}

// step decides once, checks the rules that every plan has to keep, and carries the plan
// out, or only a part of it, as an operator that is killed in between would.
func (w *world) step(policy Policy) Plan {
	plan := Decide(w.pods, policy, w.now)
	w.check(plan, policy)
	cut := len(plan.Create) + len(plan.Delete)
	if w.harm && w.random.IntN(4) == 0 {
		cut = w.random.IntN(cut + 1)
	}
	w.carryOut(plan, policy.Hash, cut)
	w.live()
	return plan
}

func (w *world) check(plan Plan, policy Policy) {
	live, ready := 0, 0
	byName := map[string]ExecutorManager{}
	for _, pod := range w.pods {
		byName[pod.Name] = pod
		if !pod.Terminating && !pod.Over {
			live++
			if pod.Ready {
				ready++
			}
		}
	}
	readyBefore := ready
	for _, deletion := range plan.Delete {
		pod, ok := byName[deletion.Name]
		require.True(w.t, ok, "deletes %q, which does not exist or was deleted before", deletion.Name)
		require.False(w.t, pod.Terminating, "deletes %q, which is on its way out", deletion.Name)
		if pod.worked() && !pod.ended() {
			require.True(w.t, pod.Work.Known, "deletes %q, of which Flame has said nothing", deletion.Name)
			require.True(w.t, pod.Work.Cordoned || pod.Work.Executors > 0, "deletes %q, which may get a task at any moment", deletion.Name)
		}
		delete(byName, deletion.Name)
		if !pod.Over {
			live--
			if pod.Ready {
				ready--
			}
		}
	}
	if floor := max(0, policy.Desired-policy.MaxUnavailable); ready < readyBefore {
		require.GreaterOrEqual(w.t, ready, floor, "deletes ready pods below the floor")
	}
	if len(plan.Create) > 0 {
		require.LessOrEqual(w.t, live+len(plan.Create), policy.Desired+policy.MaxSurge, "creates too many pods")
	}
	if policy.MaxPerStep > 0 {
		require.LessOrEqual(w.t, len(plan.Create), policy.MaxPerStep, "creates too much at once")
	}
}

// carryOut does the first actions of a plan in the order in which they are due.
func (w *world) carryOut(plan Plan, hash string, cut int) {
	do := func() bool { cut--; return cut >= 0 }
	for _, name := range plan.Cordon {
		w.cordoned[name] = true
	}
	for _, deletion := range plan.Delete {
		if deletion.Reason != Replaced && do() {
			w.terminate(deletion.Name)
		}
	}
	for _, failures := range plan.Create {
		if do() {
			w.named++
			w.pods = append(w.pods, ExecutorManager{Pod: podstate.Pod{
				Name: fmt.Sprintf("pod-%05d", w.named), Hash: hash, CreatedAt: w.now, Failures: failures,
			}})
		}
	}
	for _, deletion := range plan.Delete {
		if deletion.Reason == Replaced && do() {
			w.terminate(deletion.Name)
		}
	}
}

func (w *world) terminate(name string) {
	for i := range w.pods {
		if w.pods[i].Name == name {
			w.pods[i].Terminating = true
		}
	}
}

// live lets a second pass, in which pods progress, fail and go.
func (w *world) live() {
	w.now = w.now.Add(time.Second)
	kept := w.pods[:0]
	for _, pod := range w.pods {
		switch {
		case pod.Terminating:
			if w.random.IntN(2) == 0 {
				continue
			}
		case pod.Over:
		case w.harm && w.random.IntN(40) == 0:
			continue
		case w.harm && w.random.IntN(20) == 0:
			pod.finish(w.now)
		case w.harm && w.random.IntN(10) == 0:
			pod.Ready, pod.ReadySince = false, time.Time{}
			w.stuck[pod.Name] = w.random.IntN(2) == 0
		case w.stuck[pod.Name] && pod.Connected:
		default:
			pod.progress(w.now, w.broken[pod.Hash])
		}
		w.work(&pod)
		kept = append(kept, pod)
	}
	w.pods = kept
}

// work has Flame give tasks to pods and take them away, and say so most of the time.
func (w *world) work(pod *ExecutorManager) {
	if w.cordoned[pod.Name] {
		pod.Work.Cordoned = true
	}
	if !pod.Connected {
		return
	}
	wasQuiet := pod.Work.Known && pod.Work.Executors == 0
	pod.Work.Known = !w.harm || w.random.IntN(10) > 0
	switch {
	case pod.Work.Cordoned && pod.Work.Executors == 0:
	case w.random.IntN(3) == 0:
		pod.Work.Executors = w.random.IntN(2)
		pod.Work.Busy = pod.Work.Executors * w.random.IntN(2)
	}
	pod.Work.Idle = wasQuiet && pod.Work.Executors == 0
}

func (p *ExecutorManager) progress(now time.Time, broken bool) {
	switch {
	case !p.Scheduled:
		p.Scheduled = true
	case p.StartedAt.IsZero():
		p.StartedAt = now
	case broken:
		p.finish(now)
	case !p.Ready:
		p.Ready, p.Connected, p.ReadySince = true, true, now
	}
}

func (p *ExecutorManager) finish(now time.Time) {
	p.Over, p.Ready, p.ReadySince, p.FinishedAt = true, false, time.Time{}, now
}

// settled reports whether exactly the desired pods live, ready and up to date.
func (w *world) settled(policy Policy) bool {
	if len(w.pods) != policy.Desired {
		return false
	}
	for _, pod := range w.pods {
		if !pod.Ready || pod.Hash != policy.Hash || pod.Terminating || pod.Over {
			return false
		}
	}
	return true
}

func (w *world) settle(policy Policy) {
	for _, pod := range w.pods {
		if pod.Hash == policy.Hash {
			w.stuck[pod.Name] = false
		}
	}
	for range 3000 {
		w.step(policy)
		if w.settled(policy) {
			plan := Decide(w.pods, policy, w.now)
			require.Empty(w.t, plan, "a settled fleet is not left alone")
			return
		}
	}
	require.Fail(w.t, "does not settle", "policy %+v, pods %+v", policy, w.pods)
}

func TestAnyFleetSettlesWhateverHappensOnTheWay(t *testing.T) {
	for seed := range uint64(300) {
		w := newWorld(t, seed)
		w.pods = randomFleet(w.random)
		for i := range w.pods {
			w.pods[i].Name = "first-" + w.pods[i].Name
		}
		// Templates and counts change at any moment, pods fail and vanish, and
		// plans are carried out in part.
		w.harm = true
		w.broken["broken"] = true
		for range 60 {
			want := randomPolicy(w.random)
			want.Hash = []string{oldHash, newHash, "broken"}[w.random.IntN(3)]
			for range w.random.IntN(15) {
				w.step(want)
			}
		}
		w.harm = false
		w.settle(randomPolicy(w.random))
	}
}

func TestARollNeverLeavesFewerReadyPodsThanItMay(t *testing.T) {
	for seed := range uint64(100) {
		w := newWorld(t, seed)
		want := randomPolicy(w.random)
		want.Desired++
		want.Hash = oldHash
		w.settle(want)
		want.Hash = newHash
		for range 200 {
			w.step(want)
			ready := 0
			for _, pod := range w.pods {
				if pod.Ready && !pod.Terminating {
					ready++
				}
			}
			require.GreaterOrEqual(t, ready, want.Desired-want.MaxUnavailable, "seed %d", seed)
		}
		require.True(t, w.settled(want), "seed %d", seed)
	}
}

func TestABrokenTemplateStopsARollAndIsTriedEverMoreSeldom(t *testing.T) {
	w := newWorld(t, 1)
	want := Policy{Desired: 4, Hash: oldHash, MaxSurge: 1, MaxUnavailable: 1}
	w.settle(want)
	want.Hash = "broken"
	w.broken["broken"] = true
	created := 0
	for range 3600 {
		created += len(w.step(want).Create)
	}
	working := 0
	for _, pod := range w.pods {
		if pod.Ready && pod.Hash == oldHash {
			working++
		}
	}
	require.Equal(t, 3, working, "the old pods work on, but for the one that may be missing")
	require.Less(t, created, 2*20, "an hour of two failing pods")
	require.Greater(t, created, 2*10, "a failing pod is tried again")

	want.Hash = oldHash
	w.settle(want)
}

func TestACrashLoopIsSlowAndEndsWhenItsCauseDoes(t *testing.T) {
	w := newWorld(t, 1)
	w.broken[newHash] = true
	want := Policy{Desired: 3, Hash: newHash, MaxSurge: 1}
	created := 0
	for range 3600 {
		created += len(w.step(want).Create)
	}
	require.Less(t, created, 3*20)
	w.broken[newHash] = false
	w.settle(want)
}
