// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package observation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func numbers(from, count int) []int64 {
	ids := make([]int64, count)
	for i := range ids {
		ids[i] = int64(from + i)
	}
	return ids
}

func TestBothHasWhatIsInEach(t *testing.T) {
	for range 200 {
		var lists [2][]int64
		for i := range lists {
			for range rand.IntN(20) {
				lists[i] = append(lists[i], rand.Int64N(30))
			}
			slices.Sort(lists[i])
			lists[i] = slices.Compact(lists[i])
		}
		var want []int64
		for _, id := range lists[1] {
			if slices.Contains(lists[0], id) {
				want = append(want, id)
			}
		}
		assert.Equal(t, want, both(lists[0], lists[1]), "%v", lists)
	}
}

func TestAsManySuspectsAreRememberedAsThereIsRoomFor(t *testing.T) {
	latest := told(sees(0, ended(4), session("t", 0, 0), session("u", 0, 0)))
	for seconds := range 2 {
		latest = latest.Told([]Answer{
			{Session: "s", At: after(seconds), Tasks: numbers(1, 200_000)},
			{Session: "t", At: after(seconds), Tasks: numbers(1, 200_000)},
			{Session: "u", At: after(seconds), Tasks: numbers(1, 10)},
		})
	}
	assert.Equal(t, []LostTasks{{"s", numbers(1, 200_000)}, {"t", numbers(1, 50_000)}}, latest.LostTasks(time.Time{}))
	assert.True(t, latest.Inquired(), "and nothing waits to be confirmed")

	latest = latest.Told([]Answer{{Session: "s", At: after(2)}, {Session: "u", At: after(2), Tasks: numbers(1, 10)}})
	latest = latest.Told([]Answer{{Session: "u", At: after(3), Tasks: numbers(1, 10)}})
	assert.Equal(t, []LostTasks{{"t", numbers(1, 50_000)}, {"u", numbers(1, 10)}}, latest.LostTasks(time.Time{}), "what is known of others stays")
}

// BenchmarkTasks takes as long for a task of many as for one of few.
func BenchmarkTasks(b *testing.B) {
	for _, count := range []int{20_000, 200_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			before := told(sees(0, ended(4)), Answer{Session: "s", At: after(1), Tasks: numbers(1, count)})
			again := []Answer{{Session: "s", At: after(20), Tasks: numbers(2, count)}}
			for b.Loop() {
				after := before.Told(again)
				_ = Changed(before, after)
				_ = after.Inquired()
				_ = after.LostTasks(time.Time{})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(count), "ns/task")
		})
	}
}

// BenchmarkObservation is an observation of the same sessions, executors and nodes.
func BenchmarkObservation(b *testing.B) {
	for _, count := range []int{5_000, 50_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			var o Observation
			for i := range count / 5 {
				id := fmt.Sprintf("%08d", i)
				o.Sessions = append(o.Sessions, session(id, 0, 1))
				o.Nodes = append(o.Nodes, node(id, Ready))
				for j := range 3 {
					o.Executors = append(o.Executors, executor(fmt.Sprint(id, j), id, Bound, id))
				}
			}
			o.At = after(0)
			before := told(o)
			o.At = after(10)
			for b.Loop() {
				after := before.Seen(o)
				_ = Changed(before, after)
				_ = after.Asks(o.At)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(count), "ns/entry")
		})
	}
}
