// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package autoscale_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/xflops/flame-operator/internal/autoscale"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// Each load is met by a cluster that decided on 0 before, so that what is needed
// is what is desired.
func TestTheLoadNeeds(t *testing.T) {
	big := observation.Resources{CPU: 4, Memory: gi}
	two, three := observation.Resources{CPU: 2, Memory: gi}, observation.Resources{CPU: 3, Memory: gi}
	gpu := observation.Resources{CPU: 1, Memory: gi, GPU: 1}
	for title, test := range map[string]struct {
		in   autoscale.Input
		want int
	}{
		"nothing without sessions":                                  {with(), 0},
		"nothing for sessions without tasks":                        {with(tasks("s", 0, 0)), 0},
		"an executor for each task that waits or runs":              {with(tasks("s", 3, 2), tasks("t", 4, 0)), 9},
		"no more than a session's max instances":                    {with(tasks("s", 30, 2, atMost(5))), 5},
		"a session's min instances, even without tasks":             {with(tasks("s", 0, 0, atLeast(3))), 3},
		"the min instances if they are more than the max instances": {with(tasks("s", 9, 0, atLeast(4), atMost(2))), 4},
		"no min instances with policy drf, which ignores them":      {edit(with(tasks("s", 1, 0, atLeast(3))), drf), 1},
		"nothing for counts below zero":                             {with(tasks("s", -3, -1)), 0},

		"whole batches, rounded down, with 0.6.0 and priority":               {with(tasks("s", 11, 0, batches(4))), 8},
		"a whole batch for less than a batch, which drf gives":               {with(tasks("s", 1, 0, batches(4))), 4},
		"whole batches, rounded up, with 0.6.0 and drf":                      {edit(with(tasks("s", 9, 0, batches(4))), drf), 12},
		"whole batches of min instances":                                     {with(tasks("s", 0, 0, batches(4), atLeast(5))), 8},
		"whole batches of max instances":                                     {with(tasks("s", 90, 0, batches(4), atMost(6))), 8},
		"single executors with later versions, which ignore batches":         {edit(with(tasks("s", 11, 0, batches(4))), later), 11},
		"nothing for a batch that needs more executor managers than may be":  {edit(with(tasks("s", 9, 0, batches(8))), bounds(0, 7)), 0},
		"a batch that fits into as many executor managers as may be":         {edit(with(tasks("s", 9, 0, batches(8))), bounds(0, 8)), 8},
		"a batch that fits because several executors share a manager":        {edit(with(tasks("s", 9, 0, batches(8))), bounds(0, 2), cpus(4)), 2},
		"every session's own size":                                           {edit(with(tasks("s", 5, 0), tasks("t", 2, 0, of(big))), cpus(4)), 4},
		"room shared between sizes, the largest first":                       {edit(with(tasks("a", 2, 0), tasks("b", 2, 0, of(three))), cpus(4)), 2},
		"no room but what is there: 3+3+2 CPUs in managers of 4":             {edit(with(tasks("a", 1, 0, of(two)), tasks("b", 2, 0, of(three))), cpus(4)), 3},
		"as many as fit by CPU, since Flame takes the host's memory for its": {edit(with(tasks("s", 8, 0, of(observation.Resources{CPU: 1, Memory: 16 * gi}))), cpus(4)), 2},
		"as many as fit by the host's memory, where that is less": {
			edit(with(tasks("s", 8, 0, of(observation.Resources{CPU: 1, Memory: 32 * gi}))), cpus(4)), 4},
		"as many as fit by the memory of the largest host, used by others or not": {
			edit(with(tasks("s", 8, 0, of(observation.Resources{CPU: 1, Memory: 32 * gi}))), cpus(4), func(in *autoscale.Input) {
				large := node("large", observation.Resources{CPU: 4, Memory: 128 * gi})
				large.Allocatable.Memory = gi
				in.Observation.Nodes = append([]observation.Node{large}, in.Observation.Nodes...)
			}), 2},
		"as many as fit by CPU, where no node tells its memory": {
			edit(with(tasks("s", 8, 0, of(observation.Resources{CPU: 1, Memory: 900 * gi}))), cpus(4), func(in *autoscale.Input) { in.Observation.Nodes = nil }), 2},
		"one manager for executors that ask for nothing": {with(tasks("s", 500, 0, of(observation.Resources{Memory: 1}))), 1},
		"GPUs as they are": {
			edit(with(tasks("s", 5, 0, of(gpu)), tasks("t", 6, 0)), cpus(4), func(in *autoscale.Input) { in.Flame.Shape.GPU = 2 }), 3},
		"the slot's size for executors of none":              {edit(with(tasks("s", 5, 0, of(observation.Resources{}))), cpus(4)), 2},
		"nothing for executors that no manager has room for": {with(tasks("s", 5, 0, of(big)), tasks("t", 2, 0, of(gpu))), 0},

		"nothing for sessions that reached the retry limit":                    {with(tasks("s", 5, 0, blocked), tasks("t", 2, 0)), 2},
		"sessions below one that will get all it wants":                        {with(tasks("high", 3, 0, priority(9)), tasks("low", 4, 0)), 7},
		"nothing below a priority that is held to its max instances":           {with(tasks("high", 3, 0, priority(9), atMost(2)), tasks("low", 4, 0)), 2},
		"sessions below max instances that leave nothing pending":              {with(tasks("high", 0, 3, priority(9), atMost(2)), tasks("low", 4, 0)), 6},
		"nothing below a session that waits and reached the retry limit":       {with(tasks("high", 3, 0, priority(9), blocked), tasks("low", 4, 0)), 0},
		"sessions below one that reached the retry limit with nothing waiting": {with(tasks("high", 0, 0, priority(9), blocked), tasks("low", 4, 0)), 4},
		"nothing below a session that has room nowhere":                        {with(tasks("high", 3, 0, priority(9), of(big)), tasks("low", 4, 0)), 0},
		"nothing below a session with a part of a batch left over":             {with(tasks("high", 3, 0, priority(9), batches(2)), tasks("low", 4, 0)), 2},
		"sessions that reached that limit before the session manager started":  {edit(with(tasks("s", 5, 0, blocked), tasks("t", 2, 0)), restarted), 7},
		"equals of a session that is stuck":                                    {with(tasks("high", 3, 0, priority(9), blocked), tasks("equal", 4, 0, priority(9))), 4},
		"nothing for sessions that are closed":                                 {with(tasks("s", 5, 0, closed, atLeast(3)), tasks("t", 2, 0)), 2},
		"sessions below a closed one with tasks that wait":                     {with(tasks("high", 3, 0, priority(9), closed, atMost(2)), tasks("low", 4, 0)), 4},
		"everybody under drf, which knows no priority":                         {edit(with(tasks("high", 3, 0, priority(9), atMost(2)), tasks("low", 4, 0)), drf), 6},
	} {
		t.Run(title, func(t *testing.T) {
			assert.Equal(t, test.want, autoscale.Decide(test.in).Desired)
		})
	}
}

func TestExecutorsThatAreThereCount(t *testing.T) {
	three, two := observation.Resources{CPU: 3, Memory: gi}, observation.Resources{CPU: 2, Memory: gi}
	for title, test := range map[string]struct {
		in   autoscale.Input
		want int
	}{
		"for their own session, whose next task they take": {
			pods(with(tasks("s", 1, 1)), []string{"s"}, []string{"s"}), 2},
		"for no other session, though they only wait": {
			pods(with(tasks("s", 0, 0), tasks("t", 3, 0)), []string{"s"}, []string{"s"}), 5},
		"only once: what runs is not added to what holds it": {
			pods(with(tasks("s", 4, 2)), []string{"s"}, []string{"s"}), 6},
		"until they go, when nothing is to be done any more": {
			pods(with(tasks("s", 0, 0)), []string{"s"}, nil, []string{"s"}), 2},
		"not, if they serve no session: they are released or taken in a moment": {
			pods(with(tasks("t", 1, 0)), []string{""}, []string{""}), 1},
		"not, if they are bound to a session without a name": {
			edit(pods(with(tasks("t", 1, 0)), []string{""}, []string{""}), as(observation.Bound, observation.Bound)), 1},
		"not, if their executor manager is gone: their task needs a place again": {
			edit(with(tasks("s", 0, 2)), func(in *autoscale.Input) {
				in.Observation.Executors = []observation.Executor{bound("gone", "s", in.Flame.Slot)}
			}), 2},
		"and leave room beside them": {
			pods(edit(with(tasks("s", 0, 1), tasks("t", 3, 0)), cpus(4)), []string{"s"}), 1},
		"on as many managers as they are scattered over": {
			pods(edit(with(tasks("s", 0, 3)), cpus(4)), []string{"s"}, []string{"s"}, []string{"s"}), 3},
		"with the room that is really left: 2 CPUs beside 1 each do not take 3": {
			pods(edit(with(tasks("s", 0, 2), tasks("t", 1, 0, of(three))), cpus(3)), []string{"s"}, []string{"s"}), 3},
		"with the room that is really left: 2 CPUs beside 1 each take 2": {
			pods(edit(with(tasks("s", 0, 2), tasks("t", 2, 0, of(two))), cpus(3)), []string{"s"}, []string{"s"}), 2},
		"by the room that Flame lists, where a manager is of another shape": {
			edit(pods(with(tasks("s", 3, 1)), []string{"s"}), listed(observation.Resources{CPU: 4, Memory: gi * 64})), 1},
		"by the room of a new one, where Flame does not list the manager": {
			edit(pods(edit(with(tasks("s", 3, 1)), cpus(4)), []string{"s"}), func(in *autoscale.Input) { in.Observation.Nodes = nil }), 1},
		"by the room of a new one, where a manager has not told what it has": {
			edit(pods(edit(with(tasks("s", 3, 1)), cpus(4)), []string{"s"}), listed(observation.Resources{})), 1},
		"by the CPUs of one that tells no memory": {
			edit(pods(with(tasks("s", 3, 1)), []string{"s"}), listed(observation.Resources{CPU: 4})), 1},
		"while they are promised to a session, or leave it": {
			edit(pods(with(tasks("s", 0, 0)), []string{"s"}, []string{"s"}), as(observation.Binding, observation.Unbinding)), 2},
		"not in any other state, whatever session they name": {
			edit(pods(with(tasks("t", 1, 0)), []string{"s"}, []string{"s"}, []string{"s"}, []string{"s"}, []string{"s"}),
				as(observation.Void, observation.Idle, observation.Releasing, observation.Released, observation.UnknownState)), 1},
		"for a session that reached the retry limit as well": {
			pods(with(tasks("s", 5, 1, blocked)), []string{"s"}), 1},
		"for a session below one that is stuck, which keeps what it has": {
			pods(with(tasks("high", 1, 0, priority(9), blocked), tasks("low", 5, 1)), []string{"low"}, nil), 1},
		"more than there is room for, as Flame 0.6.0 allows": {
			pods(edit(with(tasks("s", 1, 3)), cpus(2)), []string{"s", "s", "s"}), 2},
	} {
		t.Run(title, func(t *testing.T) {
			assert.Equal(t, test.want, autoscale.Decide(test.in).Desired)
		})
	}
}
