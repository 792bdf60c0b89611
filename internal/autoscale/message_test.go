// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package autoscale_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/xflops/flame-operator/internal/autoscale"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

func TestTheMessageSaysWhatAUserHasToKnow(t *testing.T) {
	const end = "; executorManager.replicas counts only when a cluster starts"
	big := observation.Resources{CPU: 8, Memory: 16 * gi}
	odd := func(n int64) observation.Session {
		return tasks("odd", 1, 0, of(observation.Resources{CPU: 2, Memory: n}))
	}
	decided := func(n int) func(*autoscale.Input) {
		return func(in *autoscale.Input) { in.Previous = &autoscale.Memory{Desired: n, Needed: n} }
	}
	for title, test := range map[string]struct {
		in     autoscale.Input
		reason autoscale.Reason
		want   string
	}{
		"nothing to do":          {with(), autoscale.FollowingLoad, "the load needs no executor manager"},
		"one is needed":          {with(tasks("s", 1, 0)), autoscale.FollowingLoad, "the load needs 1 executor manager"},
		"more than may be":       {edit(with(tasks("s", 30, 0)), bounds(0, 20)), autoscale.AtMaximum, "the load needs 30 executor managers, and maxReplicas allows 20"},
		"fewer than have to be":  {edit(with(tasks("s", 1, 0)), bounds(3, 20)), autoscale.AtMinimum, "the load needs 1 executor manager, and minReplicas keeps 3"},
		"fewer than a while ago": {edit(with(tasks("s", 1, 0)), decided(7)), autoscale.ScaleDownDelay, "the load needs 1 executor manager; 7 are kept until 2026-06-01T12:02:00Z, when fewer have been needed for 120 seconds"},
		"many at once": {edit(with(tasks("s", 9, 0)), func(in *autoscale.Input) { in.Bounds.MaxStarting = 2 }), autoscale.ScaleUpLimited,
			"the load needs 9 executor managers; 2 are wanted for now, and more when those are ready (maxStarting is 2)"},
		"Flame is silent": {edit(with(), decided(4), func(in *autoscale.Input) { in.Observation = nil }), autoscale.FlameSilent,
			"Flame does not say what it has to do: 4 executor managers stay wanted, as decided before"},
		"executors that are too large": {
			with(tasks("s", 1, 0, of(big)), tasks("t", 1, 0, of(big)), tasks("u", 2, 0)), autoscale.Unschedulable,
			"the load needs 2 executor managers; no executor manager has room for an executor of cpu=8,mem=16Gi (2 sessions)"},
		"a GPU where there is none": {
			with(tasks("s", 1, 0, of(observation.Resources{CPU: 1, Memory: gi / 2, GPU: 1}))), autoscale.Unschedulable,
			"the load needs no executor manager; no executor manager has room for an executor of cpu=1,mem=512Mi,gpu=1 (1 session)"},
		"a batch that is too large": {
			edit(with(tasks("s", 8, 0, batches(8))), bounds(0, 4)), autoscale.Unschedulable,
			"the load needs no executor manager; maxReplicas leaves no room for a batch of 8 executors of cpu=1,mem=1Gi (1 session)"},
		"many sizes that are too large": {
			with(odd(1), odd(2), odd(3), odd(4), odd(5)), autoscale.Unschedulable,
			"the load needs no executor manager; no executor manager has room for an executor of cpu=2,mem=5 (1 session)" +
				"; no executor manager has room for an executor of cpu=2,mem=4 (1 session)" +
				"; no executor manager has room for an executor of cpu=2,mem=3 (1 session); nor for 2 more kinds"},
		"a session that is stuck and blocks others": {
			with(tasks("a", 1, 0, priority(7), blocked), tasks("b", 1, 0), tasks("c", 1, 0)), autoscale.FollowingLoad,
			"the load needs no executor manager; 1 session gets no more executors, because starting them failed too often" +
				"; 2 sessions wait for one of priority 7, which has tasks that get no executor"},
		"shares that leave something unused": {
			edit(with(tasks("a", 8, 0), tasks("b", 0, 0), tasks("c", 0, 0)), drf), autoscale.FollowingLoad,
			"the load needs 8 executor managers; policy drf gives a session no more than 1/3 of the cluster while 3 are open, so a busy one cannot use all of it"},
		"a share that leaves out just one": {
			edit(with(tasks("a", 5, 0), tasks("b", 3, 0)), drf), autoscale.FollowingLoad,
			"the load needs 8 executor managers; policy drf gives a session no more than 1/2 of the cluster while 2 are open, so a busy one cannot use all of it"},
		"a share beside a session that is closed": {
			edit(with(tasks("a", 8, 0), tasks("b", 0, 0, closed), tasks("c", 0, 0)), drf), autoscale.FollowingLoad,
			"the load needs 8 executor managers; policy drf gives a session no more than 1/2 of the cluster while 2 are open, so a busy one cannot use all of it"},
		"shares that are all used": {
			edit(with(tasks("a", 4, 0), tasks("b", 4, 0)), drf), autoscale.FollowingLoad, "the load needs 8 executor managers"},
	} {
		t.Run(title, func(t *testing.T) {
			decision := autoscale.Decide(test.in)
			assert.Equal(t, test.reason, decision.Reason)
			assert.Equal(t, test.want, strings.TrimSuffix(decision.Message, end))
			assert.True(t, strings.HasSuffix(decision.Message, end))
		})
	}
}

func TestTheMessageStaysWhileItSaysTheSame(t *testing.T) {
	p := newPlay(t, base(nil)).at(0, 9).at(10*time.Second, 4)
	message := p.last.Message
	p.at(50*time.Second, 4)
	assert.Equal(t, message, p.last.Message)
}
