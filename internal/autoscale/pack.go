// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package autoscale

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

// fits returns how many executors of a size have room. In a request, 0 or less is
// no request, as in Flame: it does not count, so that nothing at all fits any number
// of times.
func fits(room, request observation.Resources) int {
	count := int64(math.MaxInt32)
	for _, part := range parts(room, request) {
		if part[1] > 0 {
			count = min(count, max(0, part[0])/part[1])
		}
	}
	return int(count)
}

// parts are each resource of a room, beside what is asked for of it.
func parts(room, request observation.Resources) [3][2]int64 {
	return [3][2]int64{{room.CPU, request.CPU}, {room.Memory, request.Memory}, {room.GPU, request.GPU}}
}

// holds reports whether one executor of a size has room.
func holds(room, request observation.Resources) bool {
	return (request.CPU <= 0 || room.CPU >= request.CPU) &&
		(request.Memory <= 0 || room.Memory >= request.Memory) &&
		(request.GPU <= 0 || room.GPU >= request.GPU)
}

func minus(room, request observation.Resources, times int) observation.Resources {
	n := int64(times)
	return observation.Resources{
		CPU:    room.CPU - n*max(0, request.CPU),
		Memory: room.Memory - n*max(0, request.Memory),
		GPU:    room.GPU - n*max(0, request.GPU),
	}
}

// known returns a room whose memory can be counted with: 0 is what nobody knows, and
// no limit. Of CPUs and GPUs, 0 is none.
func known(room observation.Resources) observation.Resources {
	if room.Memory <= 0 {
		room.Memory = math.MaxInt64
	}
	return room
}

// larger orders requests by the share of a room that they take, the largest first.
func larger(room observation.Resources) func(a, b observation.Resources) int {
	return func(a, b observation.Resources) int {
		return cmp.Or(cmp.Compare(share(room, b), share(room, a)), compare(b, a))
	}
}

// share is the largest part of any resource of a room that a request takes.
func share(room, request observation.Resources) float64 {
	most := 0.0
	for _, part := range parts(room, request) {
		switch {
		case part[1] <= 0:
		case part[0] <= 0:
			return math.Inf(1)
		default:
			most = max(most, float64(part[1])/float64(part[0]))
		}
	}
	return most
}

// bins are executor managers that have the same room left.
type bins struct {
	room  observation.Resources
	count int
}

// pack returns how many executor managers of a shape are needed besides those
// with the given rooms to hold executors, counted by size: the largest go
// first, each where there is room first. Executor managers of the same room are
// taken together, so that the time depends on the number of sizes and not on
// that of executors. Each executor must fit into the shape.
func pack(rooms []bins, shape observation.Resources, executors map[observation.Resources]int) int {
	sizes := slices.SortedFunc(maps.Keys(executors), larger(shape))
	smallest := smallestFrom(sizes)
	open, added := slices.Clone(rooms), 0
	for i, size := range sizes {
		if i == 0 || smallest[i] != smallest[i-1] {
			open = slices.DeleteFunc(open, func(b bins) bool { return !holds(b.room, smallest[i]) })
		}
		count := executors[size]
		open, count = fill(open, size, count)
		each := fits(shape, size)
		if full := count / each; full > 0 {
			open = append(open, bins{minus(shape, size, each), full})
			added += full
		}
		if rest := count % each; rest > 0 {
			open = append(open, bins{minus(shape, size, rest), 1})
			added++
		}
	}
	return added
}

// fill puts executors of one size where there is room, and returns what is left
// of the rooms and of the executors.
func fill(open []bins, size observation.Resources, count int) ([]bins, int) {
	first := slices.IndexFunc(open, func(b bins) bool { return holds(b.room, size) })
	if first < 0 || count == 0 {
		return open, count
	}
	filled := slices.Clone(open[:first])
	for i, b := range open[first:] {
		if count == 0 {
			return append(filled, open[first+i:]...), 0
		}
		each := fits(b.room, size)
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
			{minus(b.room, size, each), full}, {minus(b.room, size, rest), min(1, rest)}, {b.room, b.count - full - min(1, rest)},
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
func smallestFrom(sizes []observation.Resources) []observation.Resources {
	smallest := make([]observation.Resources, len(sizes))
	least := observation.Resources{CPU: math.MaxInt64, Memory: math.MaxInt64, GPU: math.MaxInt64}
	for i := len(sizes) - 1; i >= 0; i-- {
		size := sizes[i]
		least = observation.Resources{CPU: min(least.CPU, size.CPU), Memory: min(least.Memory, size.Memory), GPU: min(least.GPU, size.GPU)}
		smallest[i] = least
	}
	return smallest
}

// shape is the room of a new executor manager: it has the memory of its host, of
// which the largest that a node tells is taken.
func (in *Input) shape() observation.Resources {
	shape := in.Flame.Shape
	shape.Memory = 0
	for _, node := range in.Observation.Nodes {
		shape.Memory = max(shape.Memory, node.Capacity.Memory)
	}
	return known(shape)
}

// rooms returns what each pod has room for: what its node has to give, used or not,
// and while Flame does not list that, what a new one has.
func (in *Input) rooms() map[string]observation.Resources {
	rooms := make(map[string]observation.Resources, len(in.Pods))
	for i := range in.Pods {
		if in.counts(i) {
			rooms[in.Pods[i].Name] = in.Flame.Shape
		}
	}
	for _, node := range in.Observation.Nodes {
		if _, live := rooms[node.Name]; live && node.Allocatable != (observation.Resources{}) {
			rooms[node.Name] = known(node.Allocatable)
		}
	}
	return rooms
}

// occupied returns the rooms that are left on the pods that hold executors of
// sessions, and how many executors each session holds on pods that live. An
// executor that serves no session is released or given to one in a moment, and
// takes no room. One on a pod that is gone or going is none: its task will need
// another place, or Flame will think so until it is over.
func (in *Input) occupied() (left []bins, held map[string]int) {
	rooms, used := in.rooms(), map[string]bool{}
	held = map[string]int{}
	for _, e := range in.Observation.Executors {
		room, live := rooms[e.Node]
		if !live || !e.Busy() || e.Session == "" {
			continue
		}
		rooms[e.Node] = minus(room, e.Resreq, 1)
		held[e.Session]++
		used[e.Node] = true
	}
	// Equal rooms are one, in an order that does not depend on names.
	count := map[observation.Resources]int{}
	for name := range used {
		count[rooms[name]]++
	}
	for _, room := range slices.SortedFunc(maps.Keys(count), compare) {
		left = append(left, bins{room, count[room]})
	}
	return left, held
}

// compare orders rooms, the smallest first: what fits there leaves the larger
// ones to others.
func compare(a, b observation.Resources) int {
	return cmp.Or(cmp.Compare(a.GPU, b.GPU), cmp.Compare(a.CPU, b.CPU), cmp.Compare(a.Memory, b.Memory))
}
