// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes_test

import (
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/test/flamemodel"
)

// hurt lets one thing fail.
func (w *world) hurt() {
	name := ""
	if names := sorted(w.pods); len(names) > 0 {
		name = names[w.random.IntN(len(names))]
	}
	p := w.processes[name]
	lives := p != nil && p.alive && !w.dark(p)
	kinds := w.harmToSessionManager()
	maps.Copy(kinds, w.harmToPod(name, p, lives))
	maps.Copy(kinds, w.harmByUsers(name))
	names := sorted(kinds)
	kind := names[w.random.IntN(len(names))]
	w.did[kind]++
	kinds[kind]()
}

// soon is in a while, at most so many seconds and two from now.
func (w *world) soon(longest int) time.Time {
	return w.now.Add(time.Duration(2+w.random.IntN(longest)) * time.Second)
}

func (w *world) harmToPod(name string, p *process, lives bool) map[string]func() {
	return map[string]func(){
		"crash": func() {
			if lives {
				w.end(p)
			}
		},
		"force-deletion": func() {
			if p != nil && p.alive { // Its kubelet hears of it when it hears of anything.
				if w.dark(p) {
					w.did["force-deletion of a partitioned pod"]++
				}
				p.draining, p.killAt = true, later(w.now, p.darkUntil).Add(grace)
				delete(w.pods, name)
			}
		},
		"partition of what was force-deleted": w.partitionForceDeleted,
		"loss of a machine": func() {
			if lives {
				w.end(p)
				delete(w.pods, name)
			}
		},
		"eviction": func() {
			if name != "" && !w.pods[name].Terminating {
				w.delete(name, "Evicted", false)
			}
		},
		"partition": func() {
			if lives {
				p.darkSince, p.darkUntil = w.now, w.soon(90)
			}
		},
		"node given up by mistake": func() {
			if lives && p.connected && w.flame.Nodes[name] != nil {
				w.flame.Disconnect(name) // And the process does not notice.
			}
		},
	}
}

func (w *world) partitionForceDeleted() {
	for _, name := range sorted(w.processes) {
		if q := w.processes[name]; q.alive && !w.dark(q) && w.pods[name] == nil {
			q.darkSince, q.darkUntil = w.now, w.soon(200)
			q.killAt = later(q.killAt, q.darkUntil)
		}
	}
}

func (w *world) harmToSessionManager() map[string]func() {
	return map[string]func(){
		"restart of the session manager": func() {
			if w.flame.Up {
				w.stop(w.soon(60), true)
			}
		},
		"replacement that swallows connections": func() {
			if w.flame.Up {
				w.stop(w.soon(10), true)
				w.refused = false
				for _, name := range sorted(w.processes) {
					if q := w.processes[name]; q.alive && w.random.IntN(2) == 0 {
						q.connected, q.hangs, q.backOff, q.retryAt = false, true, time.Second, w.now.Add(134*time.Second)
					}
				}
			}
		},
		"loss of the session manager's memory": func() {
			if w.flame.Up && w.random.IntN(3) == 0 {
				w.stop(w.soon(10), false)
			}
		},
	}
}

// stop ends the session manager, with its memory or without.
func (w *world) stop(until time.Time, memory bool) {
	w.flame.Stop()
	w.upAt, w.refused = until, true
	if !memory {
		w.flame.Forget()
		w.stateSince = until
	}
}

func (w *world) harmByUsers(name string) map[string]func() {
	return map[string]func(){
		"silence":             func() { w.silentUntil = w.soon(60) },
		"lagging cache":       func() { w.hidden[name] = w.soon(20) },
		"new count":           func() { w.policy.Desired = 1 + w.random.IntN(6) },
		"new template":        func() { w.policy.Hash = []string{"old", "new", "broken"}[w.random.IntN(3)] },
		"new strategy":        func() { w.policy.MaxSurge, w.policy.MaxUnavailable = 1+w.random.IntN(2), w.random.IntN(2) },
		"restart of operator": w.restartOperator,
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (w *world) restartOperator() {
	w.latest, w.absences, w.nextLook, w.urgent = observation.Latest{}, nil, time.Time{}, false
	clear(w.resynced)
	w.awayUntil = w.now.Add(time.Duration(w.random.IntN(60)) * time.Second)
}

// settled says whether everything is as it should be, and all work done.
func (w *world) settled() bool {
	for _, t := range w.flame.Tasks {
		if t.State == flamemodel.Pending || t.State == flamemodel.Running {
			return false
		}
	}
	if w.livesWithoutPod() || len(w.pods) != w.policy.Desired || len(w.flame.Nodes) != w.policy.Desired || len(w.flame.Executors) > 0 {
		return false
	}
	for name, pod := range w.pods {
		n := w.flame.Nodes[name]
		if !pod.Ready || pod.Hash != w.policy.Hash || pod.Terminating || n == nil || n.State != observation.Ready {
			return false
		}
		if pod.StartedAt.Before(w.stateSince) {
			return false
		}
	}
	return true
}

// livesWithoutPod says whether a process lives that has no pod: it may come back.
func (w *world) livesWithoutPod() bool {
	for name, p := range w.processes {
		if p.alive && w.pods[name] == nil {
			return true
		}
	}
	return false
}

func (w *world) settle(bound int) {
	for range bound {
		w.step()
		if w.settled() {
			return
		}
	}
	require.Fail(w.t, "does not settle", "seed %d, %s: %+v\npods %v\nFlame lists %+v", w.seed, w.now, w.policy, sorted(w.pods), w.flame.List())
}

// rest sees to it that nothing is written any more.
func (w *world) rest() {
	w.step()
	acts := map[string]int{}
	w.did = acts
	created := w.named
	for range 60 {
		w.step()
	}
	require.Empty(w.t, acts, "seed %d: something is done at rest: %v", w.seed, acts)
	require.Equal(w.t, created, w.named, "seed %d: pods are made at rest", w.seed)
}

// submit gives a session a task.
func (w *world) submit() {
	w.flame.Submit([]string{"s", "t"}[w.random.IntN(2)], time.Duration(1+w.random.IntN(20))*time.Second)
}

func TestWhateverFailsNothingIsLostAndAllSettles(t *testing.T) {
	did := map[string]int{}
	for seed := range uint64(300) {
		w := newWorld(t, seed, did)
		w.settle(60)
		w.harm = true
		for range 500 {
			if w.random.IntN(3) == 0 {
				w.submit()
			}
			if w.random.IntN(25) == 0 {
				w.hurt()
			}
			w.step()
		}
		w.harm = false
		if w.policy.Hash == "broken" {
			w.policy.Hash = "new"
		}
		w.settle(2000)
		for _, task := range w.flame.Tasks {
			require.LessOrEqual(t, task.Runs, 1+task.Excused, "seed %d: a task ran again without need", seed)
		}
		w.rest()
	}
	for _, event := range []string{"fence", "late task of a pod that was StateLost", "fence of one that lives", "force-deletion of a partitioned pod", "clear", "challenge", "release", "cordon", "resync", "unbind", "StateLost", "GivenUp", "CutOff", "delete ScaledDown", "delete Outdated", "delete Replaced"} {
		assert.NotZero(t, did[event], "%s never happened: %v", event, did)
	}
}

func TestARollAndAScaleDownUnderLoadRunEveryTaskOnce(t *testing.T) {
	for seed := range uint64(60) {
		w := newWorld(t, seed, map[string]int{})
		w.policy.Desired = 4
		w.settle(60)
		for range 300 {
			w.submit()
		}
		for range 30 {
			w.step()
		}
		w.policy.Hash = "new"
		for range 400 {
			w.step()
		}
		w.policy.Desired = 1 + w.random.IntN(2)
		w.settle(6000)
		for _, task := range w.flame.Tasks {
			require.Equal(t, 1, task.Runs, "seed %d", seed)
		}
		require.NotZero(t, w.did["unbind"], "seed %d: nothing was drained", seed)
		require.Zero(t, w.did["force"], "seed %d: something was forced", seed)
	}
}
