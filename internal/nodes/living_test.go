// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"errors"
	"testing"
	"time"

	"github.com/xflops/flame-operator/internal/flame/action"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
)

func TestReadinessGatesSayWhatFlameSays(t *testing.T) {
	closed := func(p *podstate.Pod) { p.Gate = false }
	tests{
		"a gate opens when Flame calls the node Ready": {
			in:   input(says(60, node("a", observation.Ready)), with(running("a"), closed)),
			want: Plan{Gates: map[string]bool{"a": true}},
		},
		"an open gate of a Ready node is left alone": {
			in:   input(says(60, node("a", observation.Ready)), running("a")),
			want: nothing,
		},
		"a closed gate of a pod that Flame does not list is left alone": {
			in:   input(says(60), with(running("a"), func(p *podstate.Pod) { p.Gate, p.StartedAt = false, time.Time{} })),
			want: nothing,
		},
		"a gate closes when Flame does not list the node": {
			in:   input(says(60), with(running("a"), func(p *podstate.Pod) { p.LinkSince = noon })),
			want: Plan{Gates: map[string]bool{"a": false}},
		},
		"a closed gate is set once": {
			in:   input(says(1, node("a", observation.Unknown)), with(running("a"), closed)),
			want: urgently(Plan{After: 44 * time.Second}),
		},
		"a gate closes when the node is Unknown": {
			in:   input(says(1, node("a", observation.Unknown)), running("a")),
			want: urgently(Plan{Gates: map[string]bool{"a": false}, After: 44 * time.Second}),
		},
		"gates stay as they are while Flame is silent": {
			in: silent(input(says(60, node("a", observation.Ready), node("b", observation.NotReady)),
				with(running("a"), closed), running("b"), running("c"))),
			want: nothing,
		},
		"gates stay as they are before Flame has said anything": {
			in:   input(observation.Latest{}, running("a")),
			want: nothing,
		},
		"the gate of a pod on its way out is no matter": {
			in:   input(says(60, node("a", observation.Unknown)), terminating(running("a"))),
			want: nothing,
		},
		"the gate of a pod that ended is no matter": {
			in:   input(says(60), ended("a")),
			want: nothing,
		},
	}.run(t)
}

func TestFlameIsAskedSoonWhenAPodWaitsForItsWord(t *testing.T) {
	joins := with(running("a"), func(p *podstate.Pod) { p.Gate, p.GateSince, p.LinkSince = false, time.Time{}, ago(1) })
	never := observation.Latest{}
	refused := never.Failed(errors.New("refused"), ago(1))
	tests{
		"a pod has connected since Flame said something": {
			in:   input(says(60), joins),
			want: urgently(Plan{}),
		},
		"and when it has been silent since": {
			in:   silent(input(says(60), joins)),
			want: urgently(Plan{}),
		},
		"not when it is ready": {
			in:   input(says(60, node("a", observation.Ready)), with(joins, func(p *podstate.Pod) { p.Gate = true })),
			want: nothing,
		},
		"not when Flame has been asked since": {
			in:   input(says(60, node("a", observation.Ready)), with(joins, func(p *podstate.Pod) { p.LinkSince = ago(2) })),
			want: Plan{Gates: map[string]bool{"a": true}},
		},
		"not when it has no connection yet, which may take its time": {
			in:   input(says(60), with(joins, func(p *podstate.Pod) { p.Linked, p.Connected = false, false })),
			want: nothing,
		},
		"not when it ended": {
			in:   input(says(60), with(joins, func(p *podstate.Pod) { p.Ended = true })),
			want: nothing,
		},
		"a session manager that never answered was asked before its Service led to it": {
			in:   input(refused),
			want: urgently(Plan{}),
		},
		"not before it has been asked": {
			in:   input(never),
			want: nothing,
		},
		"not when it has answered before, since then it is woken when it is ready again": {
			in:   input(says(60).Failed(errors.New("refused"), ago(1))),
			want: nothing,
		},
	}.run(t)
}

func TestAPodThatFlameHasGivenUpOrDoesNotKnowIsLost(t *testing.T) {
	shut := map[string]bool{"a": false}
	forgotten := with(running("a"), func(p *podstate.Pod) { p.Gate, p.GateSince = false, ago(600) })
	tests{
		"given up: at once, and its tasks are with others": {
			in:   input(says(5, node("a", observation.NotReady)), running("a")),
			want: Plan{Gates: shut, Lost: []Loss{useless(loss(GivenUp, 5))}},
		},
		"Unknown: not while it may come back": {
			in:   input(says(44, node("a", observation.Unknown)), running("a")),
			want: urgently(Plan{Gates: shut, After: time.Second}),
		},
		"Unknown: when it should have come back or been given up, since Flame has forgotten to": {
			in:   input(says(45, node("a", observation.Unknown)), running("a")),
			want: Plan{Gates: shut, Lost: []Loss{loss(GivenUp, 45)}},
		},
		"Unknown: not by what was so before the session manager was started": {
			in:   restarted(input(says(600, node("a", observation.Unknown)), running("a")), 44),
			want: urgently(Plan{Gates: shut, After: time.Second}),
		},
		"not listed: not before its connection has stood long enough": {
			in:   input(says(60), with(forgotten, func(p *podstate.Pod) { p.LinkSince = ago(44) })),
			want: urgently(Plan{After: time.Second}),
		},
		"not listed: when its connection has stood long enough": {
			in:   input(says(60), with(forgotten, func(p *podstate.Pod) { p.LinkSince = ago(45) })),
			want: Plan{Lost: []Loss{useless(loss(Unlisted, 45))}},
		},
		"not listed: it may end the tasks of executors that Flame still lists, for no other has been given them": {
			in:   input(says(60, executor("a/1", observation.Bound, "s"), session("s", 0, 1)), forgotten),
			want: Plan{Lost: []Loss{loss(Unlisted, 600)}},
		},
		"not listed: not before the session manager has been ready long enough": {
			in:   restarted(input(says(60), forgotten), 44),
			want: urgently(Plan{After: time.Second}),
		},
		"not listed: not by an observation of before it was connected": {
			in:   input(says(60), with(forgotten, func(p *podstate.Pod) { p.LinkSince = ago(1) })),
			want: urgently(Plan{}),
		},
		"not listed: not when it was just cordoned, and is about to go": {
			in:   input(says(1), running("a")),
			want: urgently(Plan{Gates: shut, After: 45 * time.Second}),
		},
		"not listed: not soon after it was cordoned": {
			in:   input(says(44), with(forgotten, func(p *podstate.Pod) { p.GateSince = ago(44) })),
			want: urgently(Plan{After: time.Second}),
		},
		"not listed: but when it was cordoned and is to stay after all, since it gets no work": {
			in:   input(says(45), with(forgotten, func(p *podstate.Pod) { p.GateSince = ago(45) })),
			want: Plan{Lost: []Loss{useless(loss(Unlisted, 45))}},
		},
		"not listed: not a pod that never had a connection, which its probe is there for": {
			in:   input(says(60), podstate.Pod{Name: "a", StartedAt: ago(600)}),
			want: nothing,
		},
		"no pod is lost before it has started": {
			in:   input(says(60, node("a", observation.NotReady)), podstate.Pod{Name: "a"}),
			want: nothing,
		},
		"a pod that was restarted in place is lost, whatever Flame says": {
			in:   input(says(60, node("a", observation.Ready)), with(running("a"), func(p *podstate.Pod) { p.Restarted = true })),
			want: Plan{Lost: []Loss{useless(loss(RestartedInPlace, 900))}},
		},
		"no pod is lost by Flame's last word while it is silent": {
			in: silent(input(says(600, node("a", observation.NotReady)), running("a"), running("b"), cutOff("c", 600),
				with(running("d"), func(p *podstate.Pod) { p.Restarted = true }))),
			want: nothing,
		},
		"on its way out, a pod that is given up is of no use any more": {
			in:   input(says(5, node("a", observation.NotReady)), terminating(running("a"))),
			want: Plan{Lost: []Loss{useless(loss(GivenUp, 5))}},
		},
		"on its way out, a pod that is not listed ends what it does": {
			in:   input(says(60), terminating(running("a"))),
			want: nothing,
		},
	}.run(t)
}

func TestAPodThatIsCutOffIsLostOnlyWhileTheSessionManagerAnswers(t *testing.T) {
	ready := node("a", observation.Ready)
	tests{
		"not while it may come back by itself, at its next try in half a minute": {
			in:   input(says(60, ready), cutOff("a", 39)),
			want: urgently(Plan{After: time.Second}),
		},
		"when it should have come back; its tasks may still end": {
			in:   input(says(60, ready), cutOff("a", 40)),
			want: urgently(Plan{Lost: []Loss{loss(CutOff, 40)}}),
		},
		"not while the session manager is away": {
			in:   away(input(says(60, ready), cutOff("a", 600))),
			want: urgently(Plan{}),
		},
		"not before the session manager has been ready as long": {
			in:   restarted(input(says(60, ready), cutOff("a", 600)), 39),
			want: urgently(Plan{After: time.Second}),
		},
		"but when it has": {
			in:   restarted(input(says(60, ready), cutOff("a", 600)), 40),
			want: urgently(Plan{Lost: []Loss{loss(CutOff, 600)}}),
		},
		"sooner when its connection may have been swallowed": {
			in:   swallowing(input(says(60, ready), cutOff("a", 20)), 15),
			want: urgently(Plan{Lost: []Loss{loss(CutOff, 20)}}),
		},
		"but not at once then": {
			in:   swallowing(input(says(60, ready), cutOff("a", 20)), 14),
			want: urgently(Plan{After: time.Second}),
		},
		"sooner too when its probe was late to show it": {
			in:   swallowing(input(says(60, ready), cutOff("a", 15)), 29),
			want: urgently(Plan{Lost: []Loss{loss(CutOff, 15)}}),
		},
		"no sooner when it was cut off long after that": {
			in:   swallowing(input(says(60, ready), cutOff("a", 15)), 30),
			want: urgently(Plan{After: 25 * time.Second}),
		},
		"no later because Flame has noticed that its stream ended": {
			in:   input(says(40, node("a", observation.Unknown)), with(cutOff("a", 40), func(p *podstate.Pod) { p.Gate = false })),
			want: urgently(Plan{Lost: []Loss{loss(CutOff, 40)}}),
		},
		"not when it has just connected after a start that took long, before it was ready for the first time": {
			in: input(says(60), with(cutOff("a", 50), func(p *podstate.Pod) {
				p.StartedAt, p.Gate, p.GateSince = ago(10), false, time.Time{} // Not ready since it was made, 50 s ago.
			})),
			want: urgently(Plan{After: 90 * time.Second}),
		},
		"not so either when it was made before its session manager was ready, when connections may be swallowed": {
			in: swallowing(input(says(60), with(cutOff("a", 50), func(p *podstate.Pod) {
				p.StartedAt, p.Gate, p.GateSince = ago(10), false, time.Time{}
			})), 30),
			want: urgently(Plan{After: 90 * time.Second}),
		},
		"but when it was never ready for longer than a start and a return may take": {
			in: input(says(60), with(cutOff("a", 200), func(p *podstate.Pod) {
				p.StartedAt, p.Gate, p.GateSince = ago(100), false, time.Time{}
			})),
			want: urgently(Plan{Lost: []Loss{loss(CutOff, 40)}}),
		},
		"not before it had a connection ever": {
			in:   input(says(60, ready), with(cutOff("a", 600), func(p *podstate.Pod) { p.Connected = false })),
			want: nothing,
		},
	}.run(t)
}

func TestAPodOfASessionManagerThatLostItsMemoryIsLost(t *testing.T) {
	lost := []Loss{useless(loss(StateLost, 20))}
	tests{
		"one that started before, though Flame lists it as Ready again": {
			in:   forgetful(input(says(20, node("a", observation.Ready)), running("a")), 20),
			want: Plan{Lost: lost},
		},
		"one that was given a task since may end it": {
			in:   forgetful(input(says(10, node("a", observation.Ready), executor("a/1", observation.Bound, "s"), session("s", 0, 1)), running("a")), 20),
			want: Plan{Lost: []Loss{loss(StateLost, 20)}},
		},
		"one that may have been given a task since may end it, too": {
			in:   silent(forgetful(input(says(600), running("a")), 0)),
			want: Plan{Lost: []Loss{loss(StateLost, 0)}},
		},
		"one that started after is fine": {
			in: forgetful(input(says(20, node("a", observation.Ready)),
				with(running("a"), func(p *podstate.Pod) { p.StartedAt, p.LinkSince = ago(20), ago(10) })), 20),
			want: nothing,
		},
		"one that is given up, too, is lost once": {
			in:   forgetful(input(says(5, node("a", observation.NotReady)), running("a")), 20),
			want: Plan{Gates: map[string]bool{"a": false}, Lost: lost},
		},
		"while Flame is silent too, but by an operator that knows nothing yet no task is ended": {
			in:   silent(forgetful(input(observation.Latest{}, running("a")), 20)),
			want: Plan{Lost: []Loss{loss(StateLost, 20)}},
		},
		"one that has not started yet is fine": {
			in:   forgetful(input(says(20), podstate.Pod{Name: "a"}), 20),
			want: nothing,
		},
		"one that ended is not lost but gone": {
			in:   forgetful(input(says(20), ended("a")), 20),
			want: nothing,
		},
		"one on its way out does not end what nobody waits for": {
			in:   forgetful(input(says(20), terminating(running("a"))), 20),
			want: Plan{Lost: lost},
		},
		"one on its way out that is given up, too, is lost once": {
			in:   forgetful(input(says(5, node("a", observation.NotReady)), terminating(running("a"))), 20),
			want: Plan{Lost: lost},
		},
		"a session manager with a memory loses nobody": {
			in:   restarted(input(says(20, node("a", observation.Ready)), running("a")), 20),
			want: nothing,
		},
	}.run(t)
}

func TestAnExecutorThatItsNodeDoesNotTakeIsSentAgainAndThenThePodReplaced(t *testing.T) {
	void := func(seconds int) observation.Latest {
		return says(seconds, node("a", observation.Ready), executor("a/1", observation.Void, ""))
	}
	tests{
		"not at first": {
			in:   input(void(19), running("a")),
			want: Plan{After: time.Second},
		},
		"sent again": {
			in:   input(void(20), running("a")),
			want: Plan{Actions: do(action.Resync, "a"), After: 70 * time.Second},
		},
		"not again in the passes that follow": {
			in:   input(resynced(void(25), 1, 5), running("a")),
			want: Plan{After: 5 * time.Second},
		},
		"again when it has not helped": {
			in:   input(resynced(void(30), 1, 10), running("a")),
			want: Plan{Actions: do(action.Resync, "a"), After: 60 * time.Second},
		},
		"but ever more seldom": {
			in:   input(resynced(void(49), 2, 19), running("a")),
			want: Plan{After: time.Second},
		},
		"not before Flame has said what came of it": {
			in:   input(heard(resynced(void(60), 1, 20), 25), running("a")),
			want: Plan{After: 30 * time.Second},
		},
		"what was done for others that it took does not count": {
			in:   input(again(resynced(void(100), 3, 50), void(20)), running("a")),
			want: Plan{Actions: do(action.Resync, "a"), After: 70 * time.Second},
		},
		"a node is registered once, however many of its executors are Void": {
			in:   input(says(20, node("a", observation.Ready), executor("a/1", observation.Void, ""), executor("a/2", observation.Void, "")), running("a")),
			want: Plan{Actions: do(action.Resync, "a"), After: 70 * time.Second},
		},
		"replaced; its other tasks may still end": {
			in:   input(void(90), running("a")),
			want: Plan{Lost: []Loss{loss(Deaf, 90)}},
		},
		"the time in which the session manager was away does not count": {
			in:   restarted(input(void(600), running("a")), 19),
			want: Plan{After: time.Second},
		},
		"nor does the time before the pod was connected": {
			in:   input(void(600), with(running("a"), func(p *podstate.Pod) { p.LinkSince = ago(19) })),
			want: Plan{After: time.Second},
		},
		"the one that waits longest counts": {
			in:   input(younger(void(90), "a/0"), running("a")),
			want: Plan{Lost: []Loss{loss(Deaf, 90)}},
		},
		"an executor in another state may take as long as it likes": {
			in: input(says(600, node("a", observation.Ready), executor("a/1", observation.Binding, "s"),
				executor("a/2", observation.Idle, ""), executor("a/3", observation.Releasing, ""), session("s", 1, 0)), running("a")),
			want: nothing,
		},
		"a pod on its way out is sent nothing": {
			in:   input(void(60), terminating(running("a"))),
			want: nothing,
		},
		"nor is one of which Flame has said nothing lately": {
			in:   silent(input(void(600), running("a"))),
			want: nothing,
		},
	}.run(t)
}
