// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/nodes"
	"github.com/xflops/flame-operator/internal/podstate"
	"github.com/xflops/flame-operator/internal/rollout"
	"github.com/xflops/flame-operator/test/flamemodel"
)

// grace is the drain timeout of the executor managers.
const grace = 90 * time.Second

// world is a session manager, pods with their processes, and an operator that is
// made of the two planners. Its kubelets and Flame are as unkind as the real ones.
type world struct {
	t      *testing.T
	seed   uint64
	random *rand.Rand
	now    time.Time
	flame  *flamemodel.Flame
	pods   map[string]*pod
	// processes are by the name of their pod, and outlive it.
	processes map[string]*process
	named     int
	policy    rollout.Policy
	// harm lets things fail.
	harm        bool
	silentUntil time.Time
	hidden      map[string]time.Time

	// startedAt is when the session manager was started last, upAt when it will be,
	// and stateSince when it last began with no memory. It refused connections when it
	// went away last, or swallowed them.
	startedAt, upAt, stateSince time.Time
	refused                     bool

	// What the operator remembers, and forgets when it is restarted.
	latest   observation.Latest
	nextLook time.Time
	absences nodes.Absences
	urgent   bool
	// awayUntil is until when there is no operator.
	awayUntil time.Time

	// fenced is when each name was fenced last, resynced how often the
	// operator had an executor sent again, did what has happened how often.
	fenced   map[string]time.Time
	resynced map[string]int
	did      map[string]int
}

// pod is an object of the API server.
type pod struct {
	podstate.Pod
	// now says that the operator ended it without waiting for its tasks, reason why.
	now    bool
	reason rollout.Reason
	// loss is why it was of no use last.
	loss nodes.Reason
	// knownAt is of when was what the operator knew then.
	knownAt time.Time
}

// process is an executor manager.
type process struct {
	name      string
	alive     bool
	startedAt time.Time
	connected bool
	retryAt   time.Time
	backOff   time.Duration
	// darkUntil is until when neither Flame nor its kubelet hear from it.
	darkSince, darkUntil time.Time
	// hangs says that its connection was swallowed.
	hangs bool
	// draining says that its preStop hook runs, until killAt at most.
	draining bool
	killAt   time.Time
}

func newWorld(t *testing.T, seed uint64, did map[string]int) *world {
	t.Helper()
	room := []int64{1, 1, 3}[seed%3]
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	w := &world{
		t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 3)), now: now, startedAt: now, refused: true,
		pods: map[string]*pod{}, processes: map[string]*process{}, hidden: map[string]time.Time{},
		fenced: map[string]time.Time{}, resynced: map[string]int{}, did: did,
		policy: rollout.Policy{Desired: 3, Hash: "old", MaxSurge: 1},
	}
	w.flame = flamemodel.New(w, room, "s", "t")
	w.flame.Up = true
	return w
}

// Now, Acts, Drains, Loses and Picks are what Flame asks of the world.
func (w *world) Now() time.Time { return w.now }

func (w *world) Acts(node string) bool {
	p := w.processes[node]
	return p != nil && p.alive && !w.dark(p)
}

func (w *world) Drains(node string) bool { return w.processes[node].draining }

func (w *world) Loses(again bool) bool {
	if again {
		return w.random.IntN(4) == 0
	}
	return w.harm && w.random.IntN(20) == 0
}

func (w *world) Picks(of int) int { return w.random.IntN(of) }

func sorted[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

func (w *world) dark(p *process) bool { return w.now.Before(p.darkUntil) }

// step lets a second pass.
func (w *world) step() {
	w.now = w.now.Add(time.Second)
	for _, name := range sorted(w.processes) {
		w.runProcess(w.processes[name])
	}
	if !w.flame.Up && !w.now.Before(w.upAt) {
		w.flame.Up, w.startedAt = true, w.now
	}
	w.flame.Step()
	for _, name := range sorted(w.processes) {
		w.runHook(w.processes[name])
	}
	for _, name := range sorted(w.pods) {
		w.runKubelet(w.pods[name])
	}
	if !w.now.Before(w.awayUntil) {
		w.operate()
	}
}

// runProcess loses and makes its connection.
func (w *world) runProcess(p *process) {
	if !p.alive {
		return
	}
	if w.dark(p) {
		if w.now.Sub(p.darkSince) >= 15*time.Second {
			w.disconnect(p)
		}
		return
	}
	if p.connected && !w.flame.Up {
		p.connected, p.backOff = false, time.Second
		p.retryAt = w.now.Add(p.backOff)
	}
	if !p.connected && !w.now.Before(p.retryAt) {
		if !w.flame.Up {
			p.backOff = min(2*p.backOff, 30*time.Second)
			p.retryAt = w.now.Add(p.backOff)
			return
		}
		p.connected, p.hangs = true, false
		w.flame.Connect(p.name)
	}
}

func (w *world) disconnect(p *process) {
	if p.connected {
		p.connected, p.retryAt, p.backOff = false, w.now, time.Second
		w.flame.Disconnect(p.name)
	}
}

// runHook is the preStop hook: it ends the process when no instance runs, and the
// kubelet does when the grace period is over.
func (w *world) runHook(p *process) {
	if !p.alive || !p.draining || w.dark(p) {
		return
	}
	forced := !w.now.Before(p.killAt)
	if !forced && w.flame.Serves(p.name) {
		return
	}
	w.checkEnd(p, forced)
	w.end(p)
}

// checkEnd sees to it that no task is lost because a pod was removed.
func (w *world) checkEnd(p *process, forced bool) {
	for _, e := range w.flame.On(p.name) {
		if e.Task != nil {
			w.checkTask(p, e, forced)
		}
	}
}

func (w *world) checkTask(p *process, e *flamemodel.Executor, forced bool) {
	pod := w.pods[p.name]
	switch {
	case pod == nil: // Somebody else has deleted it by force.
	case pod.now && pod.reason == rollout.Suspended:
	case pod.now && !e.Task.StartedAt.Before(pod.knownAt):
		// It was given a task after it was known to be of no use. Flame gives it to
		// another when the node is given up, and all of them are done in the end.
		w.did["late task of a pod that was "+string(pod.loss)]++
	case pod.now:
		require.Fail(w.t, "ends a task that nobody else was given", "seed %d, %s: pod %q, %s, %s", w.seed, w.now, p.name, pod.reason, pod.loss)
	default:
		require.True(w.t, forced, "seed %d, %s: ends %q while it runs a task", w.seed, w.now, p.name)
		w.did["force"]++
	}
}

func (w *world) end(p *process) {
	w.flame.End(p.name)
	p.alive, p.connected = false, false
	if pod := w.pods[p.name]; pod != nil {
		pod.Ended, pod.Over, pod.FinishedAt, pod.Ready, pod.ReadySince, pod.Linked = true, true, w.now, false, time.Time{}, false
	}
}

// runKubelet is the pod's way through its life.
func (w *world) runKubelet(pod *pod) {
	p := w.processes[pod.Name]
	switch {
	case p != nil && w.dark(p):
	case pod.Terminating:
		if p == nil || !p.alive {
			if w.random.IntN(3) > 0 {
				delete(w.pods, pod.Name)
			}
		} else if !p.draining || pod.DrainsUntil.Before(p.killAt) {
			p.draining, p.killAt = true, pod.DrainsUntil
		}
	case pod.Over:
	case !pod.Scheduled:
		pod.Scheduled = true
	case p == nil:
		if w.flame.Up && w.random.IntN(3) == 0 {
			pod.StartedAt = w.now
			w.processes[pod.Name] = &process{name: pod.Name, alive: true, startedAt: w.now, retryAt: w.now.Add(time.Second)}
			if pod.Hash == "broken" {
				w.end(w.processes[pod.Name])
			}
		}
	default:
		w.probe(pod, p)
	}
}

func (w *world) probe(pod *pod, p *process) {
	if pod.Linked != p.connected {
		pod.Linked, pod.LinkSince = p.connected, w.now
	}
	pod.Connected = pod.Connected || pod.Linked
	ready := pod.Linked && pod.Gate
	if ready != pod.Ready {
		pod.Ready, pod.ReadySince = ready, time.Time{}
		if ready {
			pod.ReadySince = w.now
		}
	}
}

func (w *world) create(failures int) {
	w.named++
	name := fmt.Sprintf("pod-%05d", w.named)
	w.pods[name] = &pod{Pod: podstate.Pod{Name: name, Hash: w.policy.Hash, CreatedAt: w.now, Failures: failures}}
}

func (w *world) delete(name string, reason rollout.Reason, now bool) {
	pod := w.pods[name]
	if pod == nil {
		return
	}
	if now && !pod.now {
		pod.reason, pod.now, pod.knownAt = reason, true, w.now
		if w.latest.Known() {
			pod.knownAt = w.latest.Observation.At
		}
	}
	until := w.now.Add(grace)
	if now {
		until = w.now.Add(time.Second)
	}
	if !pod.Terminating {
		pod.DeletedAt = w.now
	}
	if !pod.Terminating || until.Before(pod.DrainsUntil) {
		pod.Terminating, pod.DrainsUntil = true, until
	}
	if p := w.processes[name]; p == nil || !p.alive {
		delete(w.pods, name)
	}
}
