// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// workers is how many requests are under way at the same time for one cluster. More
// requests make nothing faster, and slow down other clusters.
const workers = 10

// parallel does n pieces of work, all of them unless the context ends, and returns only
// the first error, since a hundred errors would mostly say the same.
func parallel(ctx context.Context, n int, work func(i int) error) error {
	var group errgroup.Group
	group.SetLimit(workers)
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error { return work(i) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// slowly does n pieces of work in batches of first, twice as many and so on, and stops
// after the first batch with an error: work that fails once mostly fails every time, and
// need not be tried a hundred times.
func slowly(ctx context.Context, first, n int, work func(i int) error) error {
	for start, size := 0, first; start < n; start, size = start+size, size*2 {
		size := min(size, n-start)
		if err := parallel(ctx, size, func(i int) error { return work(start + i) }); err != nil {
			return err
		}
	}
	return nil
}
