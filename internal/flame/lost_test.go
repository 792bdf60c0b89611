// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/flame/flametest"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

func asks(session string, known ...int64) []observation.Ask {
	return []observation.Ask{{Session: session, Known: known}}
}

// ended is a session in which a number of tasks have succeeded.
func ended(id string, tasks int) observation.Session {
	s := session(id, 0, 0)
	s.Succeeded = tasks
	return s
}

func TestLostTasksArePendingWhereNoneIsCounted(t *testing.T) {
	tests := map[string]struct {
		session observation.Session
		lost    []int64
		known   []int64
		// before runs before each call.
		before func(*flametest.Server, string)
		want   observation.Answer
		lists  int
	}{
		"nothing is lost, and nothing is listed to know that": {
			session: ended("s", 5),
		},
		"a session without a task has lost none": {session: session("s", 0, 0)},
		"its only task is lost": {
			session: session("s", 0, 0), lost: []int64{1},
			want: observation.Answer{Tasks: []int64{1}}, lists: 1,
		},
		"several are, among those that ended and run": {
			session: session("s", 0, 9), lost: []int64{2, 10, 11},
			want: observation.Answer{Tasks: []int64{2, 10, 11}}, lists: 1,
		},
		"what is known already is not listed again": {
			session: ended("s", 3), lost: []int64{2}, known: []int64{2},
			want: observation.Answer{Tasks: []int64{2}},
		},
		"one more is lost than was known": {
			session: ended("s", 3), lost: []int64{2, 4}, known: []int64{2},
			want: observation.Answer{Tasks: []int64{2, 4}}, lists: 1,
		},
		"a known one came back, and nothing else is lost": {
			session: ended("s", 3), known: []int64{2}, lists: 1,
		},
		"a known one came back, and another is lost": {
			session: ended("s", 3), lost: []int64{4}, known: []int64{2},
			want: observation.Answer{Tasks: []int64{4}}, lists: 1,
		},
		"while tasks wait nothing is known": {
			session: session("s", 1, 0), lost: []int64{1},
			want: observation.Answer{Unclear: true},
		},
		"a task that ends while they are listed makes it unclear": {
			session: session("s", 0, 1), lost: []int64{1},
			before: func(s *flametest.Server, verb string) {
				if verb == "ListTask" {
					s.Set(observation.Observation{Sessions: []observation.Session{ended("s", 1)}})
				}
			},
			want: observation.Answer{Unclear: true}, lists: 1,
		},
		"a task that came a moment ago is no reason to list": {
			session: session("s", 0, 0),
			before: func(s *flametest.Server, verb string) {
				if verb == "GetTask" {
					s.Set(observation.Observation{Sessions: []observation.Session{session("s", 1, 0)}})
				}
			},
			want: observation.Answer{Unclear: true},
		},
		"a session that is gone has nothing to tell": {
			session: session("other", 0, 0),
			want:    observation.Answer{Unclear: true},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server, client := dial(t, observation.Observation{Sessions: []observation.Session{test.session}})
			server.LoseTasks("s", test.lost...)
			if test.before != nil {
				server.BeforeCall(func(verb string) { test.before(server, verb) })
			}
			answers, err := client.LostTasks(t.Context(), asks("s", test.known...))
			require.NoError(t, err)
			test.want.Session, test.want.At = "s", noon
			assert.Equal(t, []observation.Answer{test.want}, answers)
			assert.Equal(t, test.lists, server.TaskLists(), "lists of tasks")
		})
	}
}

func TestWhatWasAnsweredBeforeAFailureCounts(t *testing.T) {
	server, client := dial(t, observation.Observation{Sessions: []observation.Session{ended("a", 1), ended("b", 1), ended("c", 1)}})
	server.LoseTasks("a", 1)
	server.LoseTasks("b", 1)
	server.BeforeCall(func(verb string) {
		if verb == "ListTask" && server.TaskLists() == 2 {
			server.Fail(errBroken)
		}
	})
	answers, err := client.LostTasks(t.Context(), []observation.Ask{{Session: "a"}, {Session: "b"}, {Session: "c"}})
	require.ErrorIs(t, err, observation.ErrAnswer)
	assert.Equal(t, []observation.Answer{
		{Session: "a", At: noon, Tasks: []int64{1}}, {Session: "b", At: noon, Unclear: true},
	}, answers)
}

func TestLostTasksAreFoundAndConfirmed(t *testing.T) {
	w := newWorld(t)
	server := w.observe("c", observation.Observation{Sessions: []observation.Session{ended("s", 3), session("waits", 5, 0)}})
	w.eventually(func() bool { return w.Latest(named("c")).Inquired() }, "it is asked at once")
	assert.Zero(t, server.TaskLists())

	wakes := w.wakes("c")
	server.LoseTasks("s", 2, 5)
	server.LoseTasks("waits", 1)
	server.Change(func(o *observation.Observation) {
		o.Sessions = []observation.Session{ended("s", 4), session("waits", 5, 0)}
	})
	w.after(35 * time.Second)
	suspects := func() []int64 { return w.Latest(named("c")).Inquiries["s"].Suspects }
	w.eventually(func() bool { return len(suspects()) == 2 }, "what has changed is asked again")
	assert.Empty(t, w.Latest(named("c")).LostTasks(time.Time{}), "before it is confirmed")
	w.after(16 * time.Second)
	w.eventually(func() bool { return w.wakes("c") > wakes }, "a loss wakes")
	assert.Equal(t, []observation.LostTasks{{Session: "s", Tasks: []int64{2, 5}}}, w.Latest(named("c")).LostTasks(time.Time{}))
	assert.Equal(t, 2, server.TaskLists())

	for range 12 {
		w.after(20 * time.Second)
	}
	assert.Equal(t, 2, server.TaskLists(), "nothing has changed")
}

func TestAskingForLostTasksHoldsNothingUp(t *testing.T) {
	w := newWorld(t)
	hangs := make(chan struct{})
	server := w.observe("c", observation.Observation{Sessions: []observation.Session{session("waits", 1, 0)}})
	asked := make(chan struct{}, 100)
	server.BeforeCall(func(verb string) {
		if verb == "GetSession" {
			asked <- struct{}{}
			<-hangs
		}
	})
	server.Change(func(o *observation.Observation) { o.Sessions = []observation.Session{ended("s", 1)} })
	w.after(11 * time.Second)
	<-asked
	w.after(11 * time.Second)
	w.after(11 * time.Second)
	assert.Empty(t, asked, "one question at a time")
	w.Forget(named("c"))
	close(hangs)
	w.stop()
}
