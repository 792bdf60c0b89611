// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"sync"
)

// workers is how many requests are under way at the same time for one cluster.
// More make nothing faster, and slow the others.
const workers = 10

// parallel does n pieces of work, all of them unless the context ends, and
// returns the first error. One says enough where a hundred would say the same.
func parallel(ctx context.Context, n int, work func(i int) error) error {
	var (
		group sync.WaitGroup
		once  sync.Once
		first error
	)
	next := make(chan int)
	for range min(n, workers) {
		group.Go(func() {
			for i := range next {
				if err := work(i); err != nil {
					once.Do(func() { first = err })
				}
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	group.Wait()
	if first == nil {
		return ctx.Err()
	}
	return first
}

// slowly does n pieces of work in batches of first, twice as many and so on, and
// stops after the first batch with an error: what fails for one mostly fails for
// all, and need not be tried a hundred times.
func slowly(ctx context.Context, first, n int, work func(i int) error) error {
	for start, size := 0, first; start < n; start, size = start+size, size*2 {
		size := min(size, n-start)
		if err := parallel(ctx, size, func(i int) error { return work(start + i) }); err != nil {
			return err
		}
	}
	return nil
}
