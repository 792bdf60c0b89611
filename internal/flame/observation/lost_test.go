// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package observation

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// told is what is known after observations and answers, in their order.
func told(steps ...any) Latest {
	var l Latest
	for _, step := range steps {
		switch step := step.(type) {
		case Observation:
			l = l.Seen(step)
		case Answer:
			l = l.Told([]Answer{step})
		}
	}
	return l
}

// sees is an observation of sessions.
func sees(seconds int, sessions ...Session) Observation {
	return Observation{At: after(seconds), Sessions: sessions}
}

// answers is an answer about session s.
func answers(seconds int, tasks ...int64) Answer {
	return Answer{Session: "s", At: after(seconds), Tasks: tasks}
}

func unclear(seconds int) Answer { return Answer{Session: "s", At: after(seconds), Unclear: true} }

// ended is session s after a number of tasks.
func ended(tasks int) Session {
	s := session("s", 0, 0)
	s.Succeeded = tasks
	return s
}

func TestOnlySessionsThatCountNoPendingTaskAreAsked(t *testing.T) {
	binding := executor("1", "n", Binding, "s")
	blocked := session("s", 3, 0)
	blocked.BlockedAt = after(-60)
	tests := map[string]struct {
		seen Observation
		want []Ask
	}{
		"one in which nothing is left to do":               {seen: sees(0, ended(4)), want: []Ask{{Session: "s"}}},
		"one that never had a task, by its counts":         {seen: sees(0, ended(0)), want: []Ask{{Session: "s"}}},
		"one whose last tasks run":                         {seen: sees(0, session("s", 0, 2)), want: []Ask{{Session: "s"}}},
		"not one that waits for executors":                 {seen: sees(0, session("s", 4, 0))},
		"not one whose executor is being bound":            {seen: Observation{Sessions: []Session{session("s", 1, 0)}, Executors: []Executor{binding}}},
		"not one that has reached its retry limit":         {seen: sees(0, blocked)},
		"not one whose task was put back by a drain":       {seen: Observation{Sessions: []Session{session("s", 1, 0)}, Executors: []Executor{executor("1", "n", Bound, "s")}}},
		"not one whose scheduler stands still beside room": {seen: Observation{Sessions: []Session{session("s", 9, 0)}, Nodes: []Node{node("n", Ready)}}},
		"not one under constant load":                      {seen: sees(0, session("s", 200, 3))},
		"not a closed one":                                 {seen: sees(0, closed(ended(4)))},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			latest := told(test.seen)
			assert.Equal(t, test.want, latest.Asks(after(0)))
			for seconds := range 24 * 360 { // A day, at an observation every 10 s.
				o := test.seen
				o.At = after(10 * seconds)
				latest = latest.Seen(o)
			}
			assert.Equal(t, test.want, latest.Asks(after(24*3600)), "a day later")
			assert.Empty(t, latest.LostTasks(time.Time{}))
		})
	}
}

func TestSessionsAreAskedAgainAsOftenAsItMayMatter(t *testing.T) {
	holds := executor("1", "n", Bound, "s")
	with := func(seconds int, s Session, executors ...Executor) Observation {
		return Observation{At: after(seconds), Sessions: []Session{s}, Executors: executors}
	}
	tests := map[string]struct {
		latest Latest
		// from is when the session is asked again, in seconds, with what is known then.
		from  int
		known []int64
	}{
		"one that has not changed, after ten minutes": {
			latest: told(sees(0, ended(4)), answers(1), sees(10, ended(4))), from: 601,
		},
		"one in which tasks have ended, after half a minute": {
			latest: told(sees(0, ended(4)), answers(1), sees(10, ended(5))), from: 31,
		},
		"one whose executor has left, which may have taken a task along": {
			latest: told(with(0, ended(4), holds), answers(1), with(10, ended(4))), from: 31,
		},
		"one whose executor leaves, which may take a task along": {
			latest: told(with(0, ended(4), holds), answers(1), with(10, ended(4), executor("1", "n", Unbinding, "s"))), from: 31,
		},
		"not sooner for what another session's executor does": {
			latest: told(with(0, ended(4), executor("1", "n", Bound, "other")), answers(1), with(10, ended(4))), from: 601,
		},
		"a first suspicion, after a quarter of a minute": {
			latest: told(sees(0, ended(4)), answers(1, 5)), from: 16,
		},
		"one whose loss is confirmed, which is known then": {
			latest: told(sees(0, ended(4)), answers(1, 5), answers(20, 5)), from: 620, known: []int64{5},
		},
		"one of which the answer was unclear": {
			latest: told(sees(0, ended(4)), unclear(1), sees(10, ended(4))), from: 601,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Empty(t, test.latest.Asks(after(test.from-1)))
			assert.Equal(t, []Ask{{Session: "s", Known: test.known}}, test.latest.Asks(after(test.from)))
		})
	}
}

func TestNotTooManySessionsAreAskedAtATimeAndEachHasItsTurn(t *testing.T) {
	var sessions []Session
	for i := range 3*maxAsks + 1 {
		sessions = append(sessions, session(fmt.Sprintf("s-%03d", i), 0, 0))
	}
	latest, asked := told(sees(0, sessions...)), map[string]int{}
	for round := range 4 {
		asks := latest.Asks(after(round))
		assert.LessOrEqual(t, len(asks), maxAsks)
		for _, ask := range asks {
			asked[ask.Session]++
			latest = latest.Told([]Answer{{Session: ask.Session, At: after(round)}})
		}
	}
	assert.Len(t, asked, len(sessions))
	assert.Empty(t, latest.Asks(after(10)))
}

func TestATaskIsLostWhenItIsPendingTwice(t *testing.T) {
	again := ended(4)
	again.CreatedAt = after(50)
	tests := map[string]struct {
		latest   Latest
		started  time.Time
		want     []int64
		inquired bool
	}{
		"nothing is known before anything was asked": {latest: told(sees(0, ended(4)))},
		"nothing is lost":              {latest: told(sees(0, ended(4)), answers(1)), inquired: true},
		"once is a suspicion":          {latest: told(sees(0, ended(4)), answers(1, 5))},
		"twice is a loss":              {latest: told(sees(0, ended(4)), answers(1, 5), answers(20, 5)), want: []int64{5}, inquired: true},
		"another one is none":          {latest: told(sees(0, ended(4)), answers(1, 5), answers(20, 6))},
		"one that started is none":     {latest: told(sees(0, ended(4)), answers(1, 5), answers(20)), inquired: true},
		"one of two has started":       {latest: told(sees(0, ended(4)), answers(1, 5, 6), answers(20, 6)), want: []int64{6}, inquired: true},
		"one more is a suspicion":      {latest: told(sees(0, ended(4)), answers(1, 5), answers(20, 5, 6)), want: []int64{5}},
		"it came back":                 {latest: told(sees(0, ended(4)), answers(1, 5), answers(20, 5), answers(40)), inquired: true},
		"an unclear answer is no news": {latest: told(sees(0, ended(4)), answers(1, 5), answers(20, 5), unclear(40)), want: []int64{5}, inquired: true},
		"an observation is no news":    {latest: told(sees(0, ended(4)), answers(1, 5), answers(20, 5), sees(30, ended(4))), want: []int64{5}, inquired: true},
		"while other tasks wait it stays lost": {
			latest: told(sees(0, ended(4)), answers(1, 5), answers(20, 5), sees(30, session("s", 3, 1))), want: []int64{5}, inquired: true,
		},
		"silence is no news": {
			latest: told(sees(0, ended(4)), answers(1, 5), answers(20, 5)).Failed(ErrTimeout, after(30)), want: []int64{5}, inquired: true,
		},
		"a session manager that started since runs it": {
			latest: told(sees(0, ended(4)), answers(1, 5), answers(20, 5)), started: after(25), inquired: true,
		},
		"one that started before does not": {
			latest: told(sees(0, ended(4)), answers(1, 5), answers(20, 5)), started: after(15), want: []int64{5}, inquired: true,
		},
		"a closed session wants nothing any more": {
			latest: told(sees(0, ended(4)), answers(1, 5), answers(20, 5), sees(30, closed(ended(4)))), inquired: true,
		},
		"another session of the name has lost nothing": {
			latest: told(sees(0, ended(4)), answers(1, 5), answers(20, 5), sees(60, again)),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var want []LostTasks
			if test.want != nil {
				want = []LostTasks{{Session: "s", Tasks: test.want}}
			}
			assert.Equal(t, want, test.latest.LostTasks(test.started))
			assert.Equal(t, test.inquired, test.latest.Inquired())
		})
	}
}

func TestALossIsNews(t *testing.T) {
	suspected := told(sees(0, ended(4)), answers(1, 5))
	assert.False(t, Changed(told(sees(0, ended(4))), suspected), "a suspicion is not")
	lost := suspected.Told([]Answer{answers(20, 5)})
	assert.True(t, Changed(suspected, lost))
	assert.False(t, Changed(lost, lost.Told([]Answer{answers(40, 5)})))
	assert.True(t, Changed(lost, lost.Told([]Answer{answers(40)})), "and so is a task that came back")
	assert.True(t, Changed(lost, lost.Seen(sees(50, closed(ended(4))))))
}

func TestWhatOthersHoldIsNotChanged(t *testing.T) {
	before := told(sees(0, ended(4)), answers(1, 5))
	_ = before.Told([]Answer{answers(20, 5)})
	assert.Empty(t, before.LostTasks(time.Time{}))
}
