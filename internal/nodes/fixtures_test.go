// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"slices"
	"strings"
	"time"

	"github.com/xflops/flame-operator/internal/flame/action"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// ago is some seconds before noon.
func ago(seconds int) time.Time { return noon.Add(-time.Duration(seconds) * time.Second) }

// says is what Flame has listed in all that time: it was asked first some
// seconds ago, and last a second ago.
func says(seconds int, parts ...func(*observation.Observation)) observation.Latest {
	first := observation.Observation{At: ago(seconds)}
	for _, part := range parts {
		part(&first)
	}
	slices.SortFunc(first.Nodes, func(a, b observation.Node) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(first.Executors, func(a, b observation.Executor) int { return strings.Compare(a.ID, b.ID) })
	last := first
	last.At = ago(1)
	return observation.Latest{}.Seen(first).Seen(last)
}

func node(name string, state observation.NodeState) func(*observation.Observation) {
	size := observation.Resources{CPU: 1, Memory: 1 << 30}
	return func(o *observation.Observation) {
		o.Nodes = append(o.Nodes, observation.Node{Name: name, State: state, Capacity: size, Allocatable: size})
	}
}

// empty is a node that has nothing to give, as a fence leaves it.
func empty(name string, state observation.NodeState) func(*observation.Observation) {
	return func(o *observation.Observation) {
		o.Nodes = append(o.Nodes, observation.Node{Name: name, State: state})
	}
}

// executor has an ID that begins with its node's name.
func executor(id string, state observation.ExecutorState, session string) func(*observation.Observation) {
	name, _, _ := strings.Cut(id, "/")
	return func(o *observation.Observation) {
		o.Executors = append(o.Executors, observation.Executor{ID: id, Node: name, State: state, Session: session})
	}
}

func session(id string, pending, running int) func(*observation.Observation) {
	return func(o *observation.Observation) {
		o.Sessions = append(o.Sessions, observation.Session{ID: id, Open: true, Pending: pending, Running: running})
	}
}

// younger has Flame make one more Void executor, half a minute ago.
func younger(latest observation.Latest, id string) observation.Latest {
	next := *latest.Observation
	next.Executors = slices.Clone(next.Executors)
	executor(id, observation.Void, "")(&next)
	slices.SortFunc(next.Executors, func(a, b observation.Executor) int { return strings.Compare(a.ID, b.ID) })
	next.At = ago(30)
	return latest.Seen(next)
}

// fenced is what is known if node a was fenced some seconds ago.
func fenced(latest observation.Latest, seconds int) observation.Latest {
	return latest.Fenced("a", ago(seconds))
}

// challenged is what is known if node a was challenged some seconds ago.
func challenged(latest observation.Latest, seconds int) observation.Latest {
	return latest.Challenged("a", ago(seconds))
}

// resynced is what is known if node a was registered again some seconds ago, for
// the last of so many times.
func resynced(latest observation.Latest, times, seconds int) observation.Latest {
	for range times {
		latest = latest.Resynced("a", ago(seconds))
	}
	return latest
}

// heard is what is known if Flame was asked last some seconds ago.
func heard(latest observation.Latest, seconds int) observation.Latest {
	last := *latest.Observation
	last.At = ago(seconds)
	latest.Observation = &last
	return latest
}

// again is what is known if no executor was there for a while, and then what is
// said now was so.
func again(before, now observation.Latest) observation.Latest {
	first, last := *now.Observation, *now.Observation
	without := first
	without.Executors, without.At = nil, ago(40)
	first.At = now.Track.Executors[first.Executors[0].ID].Since
	return before.Seen(without).Seen(first).Seen(last)
}

// running is a pod that has been well for a quarter of an hour.
func running(name string) podstate.Pod {
	return podstate.Pod{
		Name: name, StartedAt: ago(900),
		Connected: true, Linked: true, LinkSince: ago(890), Gate: true, GateSince: ago(890),
	}
}

func with(pod podstate.Pod, change func(*podstate.Pod)) podstate.Pod {
	change(&pod)
	return pod
}

func terminating(pod podstate.Pod) podstate.Pod {
	pod.Terminating, pod.DeletedAt = true, ago(4)
	return pod
}

func ended(name string) podstate.Pod {
	pod := running(name)
	pod.Ended, pod.Linked = true, false
	return pod
}

// cutOff is a pod that lost its connection some seconds ago.
func cutOff(name string, seconds int) podstate.Pod {
	pod := running(name)
	pod.Linked, pod.LinkSince = false, ago(seconds)
	return pod
}

// input is a cluster whose session manager has been ready for an hour.
func input(latest observation.Latest, pods ...podstate.Pod) Input {
	return Input{
		Latest: latest, Recent: true, Pods: pods,
		SessionManager: podstate.Pod{StartedAt: ago(3610), ReadySince: ago(3600), FollowsWithdrawn: true},
		Grace:          5 * time.Minute,
	}
}

func silent(in Input) Input {
	in.Recent = false
	return in
}

// absent adds a name of which the server has had no pod for some seconds.
func absent(in Input, name string, seconds int) Input {
	in.Gone = append(in.Gone, Gone{Name: name, Process: Absent, Since: ago(seconds)})
	return in
}

// drained has the last absent pod be one that was deleted some seconds ago, with
// time to drain.
func drained(in Input, seconds int) Input {
	in.Gone[len(in.Gone)-1].DeletedAt = ago(seconds)
	return in
}

// unseen adds a name that only the server has a pod of.
func unseen(in Input, name string) Input {
	in.Gone = append(in.Gone, Gone{Name: name, Process: Alive})
	return in
}

// restarted has a session manager that was started anew some seconds ago, and
// has been ready since.
func restarted(in Input, seconds int) Input {
	in.SessionManager.StartedAt, in.SessionManager.ReadySince = ago(seconds), ago(seconds)
	return in
}

// swallowing has a session manager whose pod was made anew some seconds ago,
// after one that was in its Service to the end.
func swallowing(in Input, seconds int) Input {
	in = restarted(in, seconds)
	in.SessionManager.FollowsWithdrawn = false
	return in
}

// away has a session manager that is not ready.
func away(in Input) Input {
	in.SessionManager.ReadySince = time.Time{}
	return in
}

// forgetful has a session manager that began with no memory some seconds ago.
func forgetful(in Input, seconds int) Input {
	in = restarted(in, seconds)
	in.StateSince = ago(seconds)
	return in
}

// loss is that of pod a.
func loss(reason Reason, seconds int) Loss {
	return Loss{Pod: "a", Reason: reason, Since: ago(seconds)}
}

func useless(l Loss) Loss {
	l.Useless = true
	return l
}

// do is a verb for each of some targets.
func do(verb action.Verb, names ...string) []action.Action {
	var actions []action.Action
	for _, name := range names {
		actions = append(actions, action.Action{Verb: verb, Target: name})
	}
	return actions
}

// unbindWithin is to unbind executors within a time.
func unbindWithin(d time.Duration, ids ...string) []action.Action {
	actions := do(action.Unbind, ids...)
	for i := range actions {
		actions[i].Within = d
	}
	return actions
}

// targets are those of some verbs, in the order in which they are planned.
func targets(plan Plan, verbs ...action.Verb) []string {
	var names []string
	for _, a := range plan.Actions {
		if slices.Contains(verbs, a.Verb) {
			names = append(names, a.Target)
		}
	}
	return names
}
