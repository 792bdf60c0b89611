// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestRepeats(t *testing.T) {
	at := func(seconds float64) time.Time {
		return time.Unix(1000, 0).Add(time.Duration(seconds * float64(time.Second)))
	}
	on := func(node string, seconds float64) Execution { return Execution{Node: node, At: at(seconds)} }
	again := func(node string, seconds float64) Execution {
		return Execution{Node: node, At: at(seconds), Again: true}
	}
	violence := Violence{
		Kills: map[string]Kill{
			"killed": {At: at(20)},
			"left":   {At: at(20), Lingers: true},
		},
		Starts: []time.Time{at(0), at(100)},
	}
	for name, test := range map[string]struct {
		executions []Execution
		want       []Cause
	}{
		"a task that never ran": {nil, nil},
		"a task that ran once":  {[]Execution{on("a", 10)}, nil},
		"the executor manager was killed meanwhile": {
			[]Execution{on("killed", 18), on("a", 52)}, []Cause{ExecutorManagerKilled}},
		"the executor manager went in good order": {
			[]Execution{on("drained", 18), on("a", 52)}, []Cause{Unexplained}},
		"another executor manager was killed": {
			[]Execution{on("drained", 18), on("killed", 19)}, []Cause{Unexplained}},
		"the executor manager was killed only after it had run again": {
			[]Execution{on("killed", 5), on("a", 10)}, []Cause{Unexplained}},
		"the executor manager had been killed long before it is said to have run": {
			[]Execution{on("killed", 30), on("a", 62)}, []Cause{Unexplained}},
		"the executor manager was left to itself, and took the task after that": {
			[]Execution{on("left", 30), on("a", 62)}, []Cause{ExecutorManagerKilled}},
		"an executor manager that nobody knows, and one was killed meanwhile": {
			[]Execution{on("", 18), on("a", 52)}, []Cause{ExecutorManagerKilled}},
		"an executor manager that nobody knows, and none was killed meanwhile": {
			[]Execution{on("", 40), on("a", 72)}, []Cause{Unexplained}},
		"the session manager died meanwhile": {
			[]Execution{on("a", 98), on("b", 101)}, []Cause{SessionManagerKilled}},
		"the session manager died meanwhile, started within the same second": {
			[]Execution{on("a", 100.2), on("b", 100.9)}, []Cause{SessionManagerKilled}},
		"the session manager died before": {
			[]Execution{on("a", 102), on("b", 104)}, []Cause{Unexplained}},
		"the executor that ran it when the session manager died asks for it": {
			[]Execution{on("a", 98), again("a", 102)}, []Cause{SessionManagerKilled}},
		"and another one gets it from the queue": {
			[]Execution{on("a", 98), again("a", 102), on("b", 103)}, []Cause{SessionManagerKilled, SessionManagerKilled}},
		"in the other order": {
			[]Execution{on("a", 98), on("b", 102), again("a", 103)}, []Cause{SessionManagerKilled, SessionManagerKilled}},
		"and it is put back once more with the one that had it first": {
			[]Execution{on("a", 98), on("b", 102), on("c", 132)}, []Cause{SessionManagerKilled, PutBackTwice}},
		"an executor asks for what it never had": {
			[]Execution{on("a", 98), again("b", 102)}, []Cause{Unexplained}},
		"an executor asks for what it got from the same session manager": {
			[]Execution{on("a", 102), again("a", 104)}, []Cause{Unexplained}},
		"one was killed, then nothing, then the session manager": {
			[]Execution{on("killed", 19), on("a", 52), on("b", 60), on("c", 110)},
			[]Cause{ExecutorManagerKilled, Unexplained, SessionManagerKilled}},
	} {
		t.Run(name, func(t *testing.T) {
			got := violence.Repeats(test.executions)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestPutBack(t *testing.T) {
	violence := Violence{Starts: []time.Time{time.Unix(1000, 0), time.Unix(1100, 0)}}
	at := func(seconds int64) Execution { return Execution{Node: "a", At: time.Unix(seconds, 0)} }
	assert.False(t, violence.PutBack(nil))
	assert.False(t, violence.PutBack([]Execution{at(1050)}), "it ran once")
	assert.False(t, violence.PutBack([]Execution{at(1050), at(1080)}), "it ran twice in one life")
	assert.True(t, violence.PutBack([]Execution{at(1050), at(1080), at(1110)}), "the second one was cut short")
}
