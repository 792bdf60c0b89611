// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes_test

import (
	"errors"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/flame/action"
	"github.com/xflops/flame-operator/internal/nodes"
	"github.com/xflops/flame-operator/internal/podstate"
	"github.com/xflops/flame-operator/internal/rollout"
)

// operate is one pass of an operator: it looks, plans twice and acts. It may be
// killed between any two of its acts.
func (w *world) operate() {
	w.look()
	plan := nodes.Decide(w.input(), w.now)
	w.urgent = plan.Urgent
	lost := map[string]nodes.Loss{}
	for _, loss := range plan.Lost {
		lost[loss.Pod] = loss
		w.did[string(loss.Reason)]++
		w.pods[loss.Pod].loss = loss.Reason
		if p := w.processes[loss.Pod]; loss.Reason == nodes.CutOff && p.darkUntil.Before(w.pods[loss.Pod].LinkSince) {
			require.False(w.t, w.refused && !p.hangs, "seed %d, %s: replaces %q, which comes back by itself", w.seed, w.now, loss.Pod)
		}
	}
	fleet := rollout.Decide(w.fleet(lost), w.policy, w.now)
	w.check(fleet, lost)
	acts := append(w.nodeActs(plan), w.fleetActs(fleet)...)
	if w.harm && w.random.IntN(10) == 0 {
		acts = acts[:w.random.IntN(len(acts)+1)]
	}
	for _, act := range acts {
		act()
	}
}

// look asks Flame, often when it is urgent.
func (w *world) look() {
	if w.now.Before(w.nextLook) && !w.urgent {
		return
	}
	w.nextLook = w.now.Add(5 * time.Second)
	if !w.flame.Up || w.now.Before(w.silentUntil) {
		w.latest = w.latest.Failed(errors.New("silent"), w.now)
		return
	}
	w.latest = w.latest.Seen(w.flame.List())
}

func (w *world) recent() bool { return w.latest.Fresh(w.now, 15*time.Second) }

func (w *world) input() nodes.Input {
	in := nodes.Input{Latest: w.latest, Recent: w.recent(), Grace: grace}
	in.StateSince = w.stateSince
	in.SessionManager = podstate.Pod{StartedAt: w.startedAt, FollowsWithdrawn: w.refused}
	if w.flame.Up {
		in.SessionManager.ReadySince = w.startedAt
	}
	for _, name := range sorted(w.pods) {
		if !w.now.Before(w.hidden[name]) {
			in.Pods = append(in.Pods, w.pods[name].Pod)
		}
	}
	strangers, found := nodes.Strangers(w.latest, "pod-", in.Pods), map[string]podstate.Pod{}
	for _, name := range w.absences.Doubtful(strangers) {
		if pod := w.pods[name]; pod != nil {
			found[name] = pod.Pod
		}
	}
	in.Gone, w.absences = w.absences.Prove(in.Pods, strangers, found, w.now)
	return in
}

func (w *world) fleet(lost map[string]nodes.Loss) []rollout.ExecutorManager {
	var pods []podstate.Pod
	for _, name := range sorted(w.pods) {
		pods = append(pods, w.pods[name].Pod)
	}
	fleet := rollout.Join(pods, w.latest, w.recent())
	for i := range fleet {
		if loss, isLost := lost[fleet[i].Name]; isLost {
			fleet[i].LostSince, fleet[i].Useless = loss.Since, loss.Useless
		}
	}
	return fleet
}

// check is what every plan for the fleet keeps to.
func (w *world) check(plan rollout.Plan, lost map[string]nodes.Loss) {
	live, ready := 0, 0
	for _, pod := range w.pods {
		if !pod.Terminating && !pod.Over {
			live++
			if pod.Ready {
				ready++
			}
		}
	}
	for _, deletion := range plan.Delete {
		pod := w.pods[deletion.Name]
		_, isLost := lost[deletion.Name]
		if pod.Terminating || pod.Over {
			continue
		}
		live--
		if pod.Ready && !isLost && deletion.Reason != rollout.Suspended {
			ready--
			require.GreaterOrEqual(w.t, ready, w.policy.Desired-w.policy.MaxUnavailable, "seed %d, %s: removes %q below the floor", w.seed, w.now, pod.Name)
		}
	}
	if len(plan.Create) > 0 {
		require.LessOrEqual(w.t, live+len(plan.Create), w.policy.Desired+w.policy.MaxSurge, "seed %d, %s: too many pods", w.seed, w.now)
	}
}

func (w *world) nodeActs(plan nodes.Plan) (acts []func()) {
	verbs := map[action.Verb]func(string){
		action.Fence: w.fence, action.FenceSilent: w.fenceSilent, action.Clear: w.clear, action.Challenge: w.challenge,
		action.Release: w.release, action.Resync: w.resync, action.Unbind: w.unbind,
	}
	for _, a := range plan.Actions {
		acts = append(acts, func() {
			if w.flame.Up {
				verbs[a.Verb](a.Target)
			}
		})
	}
	for _, name := range sorted(plan.Gates) {
		acts = append(acts, func() {
			if pod := w.pods[name]; pod != nil {
				pod.Gate, pod.GateSince = plan.Gates[name], w.now
			}
		})
	}
	return acts
}

func (w *world) fleetActs(plan rollout.Plan) (acts []func()) {
	remove := func(replaced bool) {
		for _, d := range plan.Delete {
			if (d.Reason == rollout.Replaced) == replaced {
				acts = append(acts, func() { w.did["delete "+string(d.Reason)]++; w.delete(d.Name, d.Reason, d.Now) })
			}
		}
	}
	for _, name := range plan.Cordon {
		acts = append(acts, func() {
			if w.flame.Up {
				w.cordon(name)
			}
		})
	}
	remove(false)
	for _, failures := range plan.Create {
		acts = append(acts, func() { w.create(failures) })
	}
	remove(true)
	return acts
}
