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

// fits returns how many executors of a size have room. As in Flame, 0 or less of a resource
// is no request and does not count, so that nothing at all fits any number of times.
func fits(room, request observation.Resources) int {
	count := int64(math.MaxInt32)
	for _, part := range parts(room, request) {
		if part[1] > 0 {
			count = min(count, max(0, part[0])/part[1])
		}
	}
	return int(count)
}

// parts returns each resource of a room, beside what is asked of it.
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

// known returns a room whose memory can be counted with: 0 means that nobody knows, and is
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

// share returns the largest part of any resource of a room that a request takes.
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

// shelf is some of the bins, in their order, with the most that a bin has left of each
// resource, so that bins without room for a size are passed over together.
type shelf struct {
	bins []bins
	most observation.Resources
}

// shelfLength bounds the bins of a shelf. The bound is near the square root of how many
// bins 100,000 sizes leave, so that one shelf takes about as long as a look at all of them.
const shelfLength = 256

// shelve puts bins onto one shelf, or onto two if they are too many.
func shelve(list []bins) (shelves []shelf) {
	length := max(1, len(list))
	if length > shelfLength {
		length = (length + 1) / 2
	}
	for part := range slices.Chunk(list, length) {
		s := shelf{bins: part}
		for _, b := range part {
			s.most = observation.Resources{CPU: max(s.most.CPU, b.room.CPU), Memory: max(s.most.Memory, b.room.Memory), GPU: max(s.most.GPU, b.room.GPU)}
		}
		shelves = append(shelves, s)
	}
	return shelves
}

// pack returns how many executor managers of a shape are needed besides those with the
// given rooms to hold executors, counted by size. The largest executors go first, each
// where there is room first. Executor managers with the same room are taken together, so
// that the time depends on the number of sizes and not on the number of executors. Each
// executor must fit into the shape.
func pack(rooms []bins, shape observation.Resources, executors map[observation.Resources]int) int {
	open, added := shelve(slices.Clone(rooms)), 0
	for _, size := range slices.SortedFunc(maps.Keys(executors), larger(shape)) {
		count := executors[size]
		for i := 0; i < len(open) && count > 0; i++ {
			if holds(open[i].most, size) {
				var filled []bins
				filled, count = fill(open[i].bins, size, count)
				open = slices.Replace(open, i, i+1, shelve(filled)...)
			}
		}
		if count == 0 {
			continue
		}
		fresh := (count-1)/fits(shape, size) + 1
		filled, _ := fill([]bins{{shape, fresh}}, size, count)
		if last := len(open) - 1; last >= 0 && len(open[last].bins) < shelfLength/2 {
			filled = append(open[last].bins, filled...)
			open = open[:last]
		}
		open = append(open, shelve(filled)...)
		added += fresh
	}
	return added
}

// fill puts executors of one size where there is room first, and returns the rest of the
// rooms, which it changes, and of the executors.
func fill(open []bins, size observation.Resources, count int) ([]bins, int) {
	for i := 0; i < len(open) && count > 0; i++ {
		b := open[i]
		if !holds(b.room, size) {
			continue
		}
		each := fits(b.room, size)
		full := min(b.count, count/each)
		rest := 0
		if full < b.count {
			rest = count - full*each
		}
		count -= full*each + rest
		parts := []bins{
			{minus(b.room, size, each), full}, {minus(b.room, size, rest), min(1, rest)}, {b.room, b.count - full - min(1, rest)},
		}
		open = slices.Replace(open, i, i+1, slices.DeleteFunc(parts, func(b bins) bool { return b.count == 0 })...)
	}
	return open, count
}

// shape returns the room of a new executor manager. The memory is that of the host, for
// which the largest that a node tells is taken.
func (in *Input) shape() observation.Resources {
	shape := in.Flame.Shape
	shape.Memory = 0
	for _, node := range in.Observation.Nodes {
		shape.Memory = max(shape.Memory, node.Capacity.Memory)
	}
	return known(shape)
}

// rooms returns what each pod has room for: what its node has to give, used or not, or what
// a new pod has, while Flame does not list the node.
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

// occupied returns the rooms that are left on the pods that hold executors of sessions, and
// how many executors each session holds on pods that live. An executor that serves no
// session is released or given to one in a moment, and takes no room. An executor on a pod
// that is gone or going does not count: its task will need another place, or Flame will
// think so until the task is over.
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
	// Equal rooms are counted together, in an order that does not depend on names.
	count := map[observation.Resources]int{}
	for name := range used {
		count[rooms[name]]++
	}
	for _, room := range slices.SortedFunc(maps.Keys(count), compare) {
		left = append(left, bins{room, count[room]})
	}
	return left, held
}

// compare orders rooms, the smallest first, since what fits there leaves the larger ones to
// others.
func compare(a, b observation.Resources) int {
	return cmp.Or(cmp.Compare(a.GPU, b.GPU), cmp.Compare(a.CPU, b.CPU), cmp.Compare(a.Memory, b.Memory))
}
