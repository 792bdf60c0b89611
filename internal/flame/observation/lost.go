// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package observation

import (
	"cmp"
	"slices"
	"time"
)

// A task is lost when an executor that was told to leave its session takes the task out of
// the queue and drops it. The task is pending for good, and in none of its session's
// counts, so that no list of sessions shows it. Only the list of the session's tasks does.
//
// A session whose tasks merely wait counts them, whatever they wait for: an executor, the
// end of a drain, a retry, a scheduler that stands still. So only sessions that count no
// pending task are asked. A task that is pending there all the same is lost, or was taken
// from the queue a moment ago and is about to run. Asking again tells the two apart.
//
// Flame workaround: lost-tasks
const (
	// confirmAfter is the time from the first answer to the second question.
	confirmAfter = 15 * time.Second
	// askChangedAfter and askUnchangedAfter are the times between two looks at a
	// session, depending on whether its counts or its executors have changed since.
	askChangedAfter   = 30 * time.Second
	askUnchangedAfter = 10 * time.Minute
	// maxAsks is how many sessions are asked at a time.
	maxAsks = 16
	// maxSuspects is how many tasks are remembered of a cluster: those with the lowest IDs
	// of each session, the sessions that were asked first. Each task takes up to 16 bytes.
	maxSuspects = 250_000
)

// Ask names a session to be asked for lost tasks.
type Ask struct {
	Session string
	// Known are the IDs of the tasks that are known to be lost.
	Known []int64
}

// Answer is what became of an Ask.
type Answer struct {
	Session string
	// At is the time just before Flame was asked.
	At time.Time
	// Unclear says that nothing is known, because tasks came or moved meanwhile, a call
	// failed, or there was too much to read.
	Unclear bool
	// Tasks are the IDs of the tasks that were pending while none was counted so,
	// in ascending order.
	Tasks []int64
}

// Inquiry is what is known of the lost tasks of a session.
type Inquiry struct {
	// At is when the session was asked last.
	At time.Time
	// Suspects are the tasks of the last answer, and Lost are those that were in the answer
	// before too.
	Suspects, Lost []int64

	// created tells the session from a later one of the same ID.
	created time.Time
}

// LostTasks is what a session has lost.
type LostTasks struct {
	Session string
	// Tasks are the IDs of its lost tasks, in ascending order.
	Tasks []int64
}

// SessionTrack is what is remembered of an open session.
type SessionTrack struct {
	// Changed is when a count or an executor of the session was first seen as it is.
	Changed time.Time

	counts counts
}

// counts is where the tasks of a session are.
type counts struct{ pending, running, ended int }

func countsOf(s Session) counts {
	return counts{s.Pending, s.Running, s.Ended()}
}

// Ended returns how many tasks have ended.
func (s Session) Ended() int { return s.Succeeded + s.Failed + s.Cancelled }

// Tasks returns how many tasks are counted: all but the lost ones.
func (s Session) Tasks() int { return s.Pending + s.Running + s.Ended() }

// SameTasks reports whether two looks at a session counted the same.
func (s Session) SameTasks(other Session) bool { return countsOf(s) == countsOf(other) }

// trackSessions returns what is remembered of open sessions after one more
// observation.
func trackSessions(previous, next Track, o Observation) map[string]SessionTrack {
	moved := map[string]bool{}
	for id, now := range next.Executors {
		if was := previous.Executors[id]; was != now {
			moved[was.Session], moved[now.Session] = true, true
		}
	}
	for id, was := range previous.Executors {
		if _, listed := next.Executors[id]; !listed {
			moved[was.Session] = true
		}
	}
	sessions := map[string]SessionTrack{}
	for _, s := range o.Sessions {
		if !s.Open {
			continue
		}
		was, known := previous.Sessions[s.ID]
		if now := countsOf(s); !known || was.counts != now || moved[s.ID] {
			was = SessionTrack{Changed: o.At, counts: now}
		}
		sessions[s.ID] = was
	}
	return sessions
}

// Asks returns the sessions that have to be asked for lost tasks at a time, the longest
// overdue first, and at most maxAsks of them.
func (l Latest) Asks(now time.Time) []Ask {
	if !l.Known() {
		return nil
	}
	type candidate struct {
		Ask
		due time.Time
	}
	var candidates []candidate
	for _, s := range l.Observation.Sessions {
		inquiry := l.Inquiries[s.ID]
		if due := inquiry.due(l.Track.Sessions[s.ID].Changed); s.countsNoPending() && !now.Before(due) {
			candidates = append(candidates, candidate{Ask{s.ID, inquiry.known()}, due})
		}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return a.due.Compare(b.due) })
	var asks []Ask
	for _, c := range candidates[:min(len(candidates), maxAsks)] {
		asks = append(asks, c.Ask)
	}
	return asks
}

// countsNoPending reports whether a session may be asked.
func (s Session) countsNoPending() bool { return s.Open && s.Pending == 0 }

func (i Inquiry) confirmed() bool { return len(i.Suspects) == len(i.Lost) }

// known returns the lost tasks if none of the suspects has to be confirmed.
func (i Inquiry) known() []int64 {
	if !i.confirmed() {
		return nil
	}
	return i.Lost
}

func (i Inquiry) due(changed time.Time) time.Time {
	switch {
	case i.At.IsZero():
		return time.Time{}
	case !i.confirmed():
		return i.At.Add(confirmAfter)
	case changed.After(i.At):
		return i.At.Add(askChangedAfter)
	default:
		return i.At.Add(askUnchangedAfter)
	}
}

// Told returns what is known after answers.
func (l Latest) Told(answers []Answer) Latest {
	if !l.Known() {
		return l
	}
	inquiries := l.keepInquiries(*l.Observation)
	room := maxSuspects
	for _, inquiry := range inquiries {
		room -= len(inquiry.Suspects)
	}
	told := map[string]Answer{}
	for _, answer := range answers {
		told[answer.Session] = answer
	}
	for _, session := range l.Observation.Sessions {
		answer, found := told[session.ID]
		if !found || !session.Open {
			continue
		}
		before := inquiries[session.ID]
		after := before.told(answer, room+len(before.Suspects))
		after.created = session.CreatedAt
		inquiries[session.ID] = after
		room += len(before.Suspects) - len(after.Suspects)
	}
	l.Inquiries = inquiries
	return l
}

// told returns what is known of a session after an answer, with no more tasks of the answer
// than there is room for.
func (i Inquiry) told(answer Answer, room int) Inquiry {
	i.At = answer.At
	if answer.Unclear {
		return i
	}
	tasks := answer.Tasks
	if len(tasks) > room {
		tasks = slices.Clone(tasks[:room])
	}
	i.Lost, i.Suspects = both(i.Suspects, tasks), tasks
	return i
}

// both returns what two lists in ascending order have in common.
func both(a, b []int64) []int64 {
	if slices.Equal(a, b) {
		return b
	}
	var in []int64
	for _, id := range b {
		for len(a) > 0 && a[0] < id {
			a = a[1:]
		}
		if len(a) > 0 && a[0] == id {
			in = append(in, id)
		}
	}
	return in
}

// keepInquiries copies the inquiries of the sessions that are open in an observation.
func (l Latest) keepInquiries(o Observation) map[string]Inquiry {
	kept := map[string]Inquiry{}
	for _, s := range o.Sessions {
		if inquiry, found := l.Inquiries[s.ID]; found && s.Open && inquiry.created.Equal(s.CreatedAt) {
			kept[s.ID] = inquiry
		}
	}
	return kept
}

// LostTasks returns what open sessions have lost, sorted by their IDs. Answers from before
// the session manager started do not count, since a start puts every task back into the
// queue.
func (l Latest) LostTasks(started time.Time) []LostTasks {
	var lost []LostTasks
	for session, inquiry := range l.Inquiries {
		if len(inquiry.Lost) > 0 && inquiry.At.After(started) {
			lost = append(lost, LostTasks{session, inquiry.Lost})
		}
	}
	slices.SortFunc(lost, func(a, b LostTasks) int { return cmp.Compare(a.Session, b.Session) })
	return lost
}

// Inquired reports whether LostTasks is complete: each session that may be asked was asked,
// and nothing waits to be confirmed. LostTasks is incomplete for a moment after the
// operator or a session has started.
func (l Latest) Inquired() bool {
	return l.Known() && !slices.ContainsFunc(l.Observation.Sessions, func(s Session) bool {
		inquiry := l.Inquiries[s.ID]
		return s.countsNoPending() && (inquiry.At.IsZero() || !inquiry.confirmed())
	})
}

func sameLostTasks(a, b Latest) bool {
	return slices.EqualFunc(a.LostTasks(time.Time{}), b.LostTasks(time.Time{}), func(a, b LostTasks) bool {
		return a.Session == b.Session && slices.Equal(a.Tasks, b.Tasks)
	})
}
