// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package autoscale_test

import (
	"fmt"
	"testing"

	"github.com/xflops/flame-operator/internal/autoscale"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
)

// crowd is 10,000 sessions of some sizes on 1,000 executor managers of 8 CPUs.
func crowd(sizes int) autoscale.Input {
	room := observation.Resources{CPU: 8, Memory: 256 * gi}
	in := base(func(in *autoscale.Input) {
		in.Flame.Shape.CPU = room.CPU
		in.Bounds.Max = 10000
	})
	for i := range 10000 {
		size := observation.Resources{CPU: int64(1 + i%sizes%8), Memory: gi + int64(i%sizes)<<20}
		in.Observation.Sessions = append(in.Observation.Sessions, tasks(fmt.Sprintf("session-%05d", i), i%20, 1, priority(i%5), of(size)))
	}
	for i := range 1000 {
		in.Pods = append(in.Pods, podstate.Pod{Name: fmt.Sprintf("pod-%04d", i), Ready: true})
		in.Observation.Nodes = append(in.Observation.Nodes, node(fmt.Sprintf("pod-%04d", i), room))
		for j := range 4 {
			s := in.Observation.Sessions[(4*i+j)%10000]
			in.Observation.Executors = append(in.Observation.Executors, bound(fmt.Sprintf("pod-%04d", i), s.ID, *s.Resreq))
		}
	}
	return in
}

func BenchmarkDecide(b *testing.B) {
	for _, sizes := range []int{1, 50, 10000} {
		b.Run(fmt.Sprintf("10000 sessions of %d sizes", sizes), func(b *testing.B) {
			in := crowd(sizes)
			for b.Loop() {
				autoscale.Decide(in)
			}
		})
	}
}

// BenchmarkSizes takes about as long for a size of many as for one of few.
func BenchmarkSizes(b *testing.B) {
	for _, sizes := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(sizes), func(b *testing.B) {
			in := base(func(in *autoscale.Input) { in.Flame.Shape.CPU = 64 })
			for i := range sizes {
				size := observation.Resources{CPU: int64(1 + i%60), Memory: 64*gi - int64(i)<<19}
				in.Observation.Sessions = append(in.Observation.Sessions, tasks(fmt.Sprintf("session-%06d", i), 1+i%20, 0, of(size)))
			}
			for b.Loop() {
				autoscale.Decide(in)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(sizes), "ns/size")
		})
	}
}
