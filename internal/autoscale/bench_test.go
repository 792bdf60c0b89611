// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package autoscale_test

import (
	"fmt"
	"testing"

	"github.com/xflops/flame-operator/internal/autoscale"
)

// crowd is 10,000 sessions of some sizes on 1,000 executor managers of 8 CPUs.
func crowd(sizes int64) autoscale.Input {
	in := base(func(in *autoscale.Input) {
		in.Flame.Shape = autoscale.Resources{CPU: 8, Memory: 256 * gi}
		in.Bounds.Max = 10000
	})
	for i := range int64(10000) {
		size := autoscale.Resources{CPU: 1 + i%sizes%8, Memory: gi + i%sizes<<20}
		in.Load.Sessions = append(in.Load.Sessions, tasks(fmt.Sprintf("session-%05d", i), int(i%20), 1, priority(i%5), of(size)))
	}
	for i := range 1000 {
		in.Pods = append(in.Pods, autoscale.Pod{Name: fmt.Sprintf("pod-%04d", i), Ready: true, Room: in.Flame.Shape})
		for j := range 4 {
			s := in.Load.Sessions[(4*i+j)%10000]
			in.Load.Executors = append(in.Load.Executors, autoscale.Executor{Node: fmt.Sprintf("pod-%04d", i), Session: s.ID, Request: s.Request})
		}
	}
	return in
}

func BenchmarkDecide(b *testing.B) {
	for _, sizes := range []int64{1, 50, 10000} {
		b.Run(fmt.Sprintf("10000 sessions of %d sizes", sizes), func(b *testing.B) {
			in := crowd(sizes)
			for b.Loop() {
				autoscale.Decide(in)
			}
		})
	}
}
