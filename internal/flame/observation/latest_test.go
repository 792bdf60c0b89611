// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package observation

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

var errSilent = errors.New("silent")

func TestSilenceIsNeverAnEmptyObservation(t *testing.T) {
	var l Latest
	assert.False(t, l.Known())
	l = l.Failed(errSilent, after(0))
	assert.False(t, l.Known(), "after a failure")
	assert.Equal(t, after(0), l.FailingSince)

	o := at(10, []Node{node("n", Ready)})
	l = l.Seen(o)
	assert.NoError(t, l.Err)
	assert.Zero(t, l.FailingSince)
	assert.True(t, l.Fresh(after(20), 10*time.Second))
	assert.False(t, l.Fresh(after(21), 10*time.Second))

	l = l.Failed(errSilent, after(20)).Failed(errSilent, after(30))
	assert.Equal(t, &o, l.Observation, "its last word stands")
	assert.Equal(t, Ready, l.Track.Nodes["n"].State)
	assert.Equal(t, after(20), l.FailingSince)
	assert.False(t, l.Fresh(after(30), time.Hour))
}

func TestChanged(t *testing.T) {
	base := func() Observation {
		o := at(0, []Node{node("n", Ready)}, executor("1", "n", Bound, "s"))
		o.Sessions = []Session{session("s", 3, 1), closed(session("t", 0, 0))}
		return o
	}
	known := Latest{}.Seen(base())
	one, two := 1, 1
	tests := map[string]struct {
		before Latest
		// change makes the next observation; nil lets it fail.
		change func(*Observation)
		want   bool
	}{
		"the first observation":             {before: Latest{}, change: func(*Observation) {}, want: true},
		"the first failure of all":          {before: Latest{}, want: true},
		"a second failure":                  {before: Latest{}.Failed(errSilent, noon)},
		"it falls silent":                   {before: known, want: true},
		"it stays silent":                   {before: known.Failed(errSilent, noon)},
		"it speaks again":                   {before: known.Failed(errSilent, noon), change: func(*Observation) {}, want: true},
		"nothing but time passed":           {before: known, change: func(*Observation) {}},
		"tasks ended":                       {before: known, change: func(o *Observation) { o.Sessions[0].Succeeded = 9 }},
		"a closed session is forgotten":     {before: known, change: func(o *Observation) { o.Sessions = o.Sessions[:1] }},
		"a session closed":                  {before: known, change: func(o *Observation) { o.Sessions[0].Open = false }, want: true},
		"a session came":                    {before: known, change: func(o *Observation) { o.Sessions[1].Open = true }, want: true},
		"more tasks wait":                   {before: known, change: func(o *Observation) { o.Sessions[0].Pending++ }, want: true},
		"fewer tasks run":                   {before: known, change: func(o *Observation) { o.Sessions[0].Running-- }, want: true},
		"a session was blocked":             {before: known, change: func(o *Observation) { o.Sessions[0].BlockedAt = noon }, want: true},
		"a session has a maximum now":       {before: known, change: func(o *Observation) { o.Sessions[0].MaxInstances = &one }, want: true},
		"an executor changed its state":     {before: known, change: func(o *Observation) { o.Executors[0].State = Unbinding }, want: true},
		"an executor changed its session":   {before: known, change: func(o *Observation) { o.Executors[0].Session = "t" }, want: true},
		"an executor went":                  {before: known, change: func(o *Observation) { o.Executors = nil }, want: true},
		"a node changed its state":          {before: known, change: func(o *Observation) { o.Nodes[0].State = Unknown }, want: true},
		"a node has less to give":           {before: known, change: func(o *Observation) { o.Nodes[0].Allocatable.CPU-- }, want: true},
		"a node came":                       {before: known, change: func(o *Observation) { o.Nodes = append(o.Nodes, node("o", Ready)) }, want: true},
		"a node went":                       {before: known, change: func(o *Observation) { o.Nodes = nil }, want: true},
		"the same maximum in another place": {before: Latest{}.Seen(limited(base(), &one)), change: func(o *Observation) { o.Sessions[0].MaxInstances = &two }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			next := test.before.Failed(errSilent, after(10))
			if test.change != nil {
				o := base()
				o.At = after(10)
				test.change(&o)
				next = test.before.Seen(o)
			}
			assert.Equal(t, test.want, Changed(test.before, next))
		})
	}
}

func limited(o Observation, maximum *int) Observation {
	o.Sessions[0].MaxInstances = maximum
	return o
}

func TestNodeThatIsIdleAgainIsAChangeUntilItIsSettled(t *testing.T) {
	idle := []Node{node("n", Ready)}
	first := Latest{}.Seen(at(0, idle))
	second := first.Seen(at(10, idle))
	third := second.Seen(at(20, idle))
	assert.True(t, Changed(first, second), "it counts as idle now")
	assert.False(t, Changed(second, third))
}
