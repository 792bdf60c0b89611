// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/xflops/flame-operator/test/flamemodel"
)

// An operator may be killed between any two of its writes, to the Kubernetes API
// and to Flame, and any write may fail or remain without an answer. The cluster
// comes to the same end, and on its way there nothing happens that never may.
//
// Each scenario is played undisturbed, which tells its writes; then once for each
// write, after which the operator is killed; and then some more times in which
// every fourth write fails, or is not answered, so that each write does once. The
// time in it is not that of the machine.
func TestKilledBetweenAnyTwoWrites(t *testing.T) {
	reach := newReach(t)
	for name, s := range crashScenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			undisturbed := newWorld(t, reach, disturbance{harm: none})
			want := undisturbed.play(s)
			list := undisturbed.writes.list
			for _, write := range s.writes {
				assert.Contains(t, strings.Join(list, "\n"), write, "what the scenario is there for")
			}
			for name, d := range disturbances(list) {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, reach, d)
					if differs := difference(want, w.play(s)); len(differs) > 0 {
						t.Errorf("it comes to another end:\n\t%s\nafter the writes%s", strings.Join(differs, "\n\t"), w.writes)
					}
				})
			}
		})
	}
}

// disturbances are those of a list of writes, by name.
func disturbances(list []string) map[string]disturbance {
	const interval = 4
	all := map[string]disturbance{}
	for i, write := range list {
		all[fmt.Sprintf("%s %d, %s", killed, i+1, write)] = disturbance{harm: killed, first: i + 1}
	}
	for i := range min(interval, len(list)) {
		for _, harm := range []harm{failed, unanswered} {
			all[fmt.Sprintf("%s %d and every %dth after it", harm, i+1, interval)] = disturbance{harm: harm, first: i + 1, interval: interval, last: len(list)}
		}
	}
	return all
}

// play plays a scenario and returns what comes of it.
func (w *world) play(s crashScenario) []string {
	w.Helper()
	if s.cluster != "" {
		w.apply(s.cluster)
		w.rest()
		w.flame.submit(s.tasks...)
		w.until("all tasks run that can", func() bool {
			return w.flame.number(flamemodel.Running) == min(len(s.tasks), len(w.managers()))
		})
	}
	w.most, w.least = s.most, s.least
	w.writes.counts = true
	s.happens(w)
	w.rest()
	assert.Empty(w, w.violations, "writes: %s", w.writes)
	for _, task := range w.flame.Tasks {
		assert.LessOrEqual(w, task.Runs, 1+task.Excused, "times that a task ran")
	}
	return w.result()
}
