// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package autoscale

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// fits returns how many executors of a size have room. What is not asked for
// does not count, so that nothing at all fits any number of times.
func (r Resources) fits(request Resources) int {
	count := int64(math.MaxInt32)
	for _, part := range [][2]int64{{r.CPU, request.CPU}, {r.Memory, request.Memory}, {r.GPU, request.GPU}} {
		if part[1] > 0 {
			count = min(count, max(0, part[0])/part[1])
		}
	}
	return int(count)
}

// holds reports whether one executor of a size has room.
func (r Resources) holds(request Resources) bool {
	return (request.CPU <= 0 || r.CPU >= request.CPU) &&
		(request.Memory <= 0 || r.Memory >= request.Memory) &&
		(request.GPU <= 0 || r.GPU >= request.GPU)
}

func (r Resources) minus(request Resources, times int) Resources {
	n := int64(times)
	return Resources{r.CPU - n*max(0, request.CPU), r.Memory - n*max(0, request.Memory), r.GPU - n*max(0, request.GPU)}
}

// known returns a room whose memory can be counted with: what nobody knows is no limit.
func (r Resources) known() Resources {
	if r.Memory <= 0 {
		r.Memory = math.MaxInt64
	}
	return r
}

// larger orders requests by the share of a room that they take, the largest first.
func (r Resources) larger(a, b Resources) int {
	return cmp.Or(
		cmp.Compare(r.share(b), r.share(a)),
		cmp.Compare(b.GPU, a.GPU), cmp.Compare(b.CPU, a.CPU), cmp.Compare(b.Memory, a.Memory),
	)
}

// share is the largest part of any resource of a room that a request takes.
func (r Resources) share(request Resources) float64 {
	share := 0.0
	for _, part := range [][2]int64{{r.CPU, request.CPU}, {r.Memory, request.Memory}, {r.GPU, request.GPU}} {
		switch {
		case part[1] <= 0:
		case part[0] <= 0:
			return math.Inf(1)
		default:
			share = max(share, float64(part[1])/float64(part[0]))
		}
	}
	return share
}

// bins are executor managers that have the same room left.
type bins struct {
	room  Resources
	count int
}

// pack returns how many executor managers of a shape are needed besides those
// with the given rooms to hold executors, counted by size: the largest go
// first, each where there is room first. Executor managers of the same room are
// taken together, so that the time depends on the number of sizes and not on
// that of executors. Each executor must fit into the shape.
func pack(rooms []bins, shape Resources, executors map[Resources]int) int {
	sizes := slices.SortedFunc(maps.Keys(executors), shape.larger)
	smallest := smallestFrom(sizes)
	open, added := slices.Clone(rooms), 0
	for i, size := range sizes {
		if i == 0 || smallest[i] != smallest[i-1] {
			open = slices.DeleteFunc(open, func(b bins) bool { return !b.room.holds(smallest[i]) })
		}
		count := executors[size]
		open, count = fill(open, size, count)
		each := shape.fits(size)
		if full := count / each; full > 0 {
			open = append(open, bins{shape.minus(size, each), full})
			added += full
		}
		if rest := count % each; rest > 0 {
			open = append(open, bins{shape.minus(size, rest), 1})
			added++
		}
	}
	return added
}

// fill puts executors of one size where there is room, and returns what is left
// of the rooms and of the executors.
func fill(open []bins, size Resources, count int) ([]bins, int) {
	first := slices.IndexFunc(open, func(b bins) bool { return b.room.holds(size) })
	if first < 0 || count == 0 {
		return open, count
	}
	filled := slices.Clone(open[:first])
	for i, b := range open[first:] {
		if count == 0 {
			return append(filled, open[first+i:]...), 0
		}
		each := b.room.fits(size)
		if each == 0 {
			filled = append(filled, b)
			continue
		}
		full := min(b.count, count/each)
		rest := 0
		if full < b.count {
			rest = count - full*each
		}
		count -= full*each + rest
		for _, part := range []bins{
			{b.room.minus(size, each), full}, {b.room.minus(size, rest), min(1, rest)}, {b.room, b.count - full - min(1, rest)},
		} {
			if part.count > 0 {
				filled = append(filled, part)
			}
		}
	}
	return filled, count
}

// smallestFrom returns for each position what is at least asked for from there
// on: a room that has less is of no more use.
func smallestFrom(sizes []Resources) []Resources {
	smallest := make([]Resources, len(sizes))
	least := Resources{math.MaxInt64, math.MaxInt64, math.MaxInt64}
	for i := len(sizes) - 1; i >= 0; i-- {
		size := sizes[i]
		least = Resources{min(least.CPU, size.CPU), min(least.Memory, size.Memory), min(least.GPU, size.GPU)}
		smallest[i] = least
	}
	return smallest
}

// occupied returns the rooms that are left on the pods that hold executors of
// sessions, and how many executors each session holds on pods that live. An
// executor on a pod that is gone or going is none: its task will need another
// place, or Flame will think so until it is over.
func (in *Input) occupied() (rooms []bins, held map[string]int) {
	left := make(map[string]*Resources, len(in.Pods))
	for i := range in.Pods {
		room := in.Pods[i].Room
		if room == (Resources{}) {
			room = in.Flame.Shape
		}
		room = room.known()
		left[in.Pods[i].Name] = &room
	}
	held = map[string]int{}
	used := map[string]bool{}
	for _, e := range in.Load.Executors {
		room, live := left[e.Node]
		if !live || e.Session == "" {
			continue
		}
		*room = room.minus(e.Request, 1)
		held[e.Session]++
		used[e.Node] = true
	}
	// Equal rooms are one, in an order that does not depend on names.
	count := map[Resources]int{}
	for name := range used {
		count[*left[name]]++
	}
	for _, room := range slices.SortedFunc(maps.Keys(count), compare) {
		rooms = append(rooms, bins{room, count[room]})
	}
	return rooms, held
}

// compare orders rooms, the smallest first: what fits there leaves the larger
// ones to others.
func compare(a, b Resources) int {
	return cmp.Or(cmp.Compare(a.GPU, b.GPU), cmp.Compare(a.CPU, b.CPU), cmp.Compare(a.Memory, b.Memory))
}
