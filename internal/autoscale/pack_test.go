// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package autoscale

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

// packOneByOne is first fit decreasing as a textbook has it.
func packOneByOne(rooms []bins, shape observation.Resources, executors map[observation.Resources]int) int {
	var open []observation.Resources
	for _, b := range rooms {
		for range b.count {
			open = append(open, b.room)
		}
	}
	before := len(open)
	for _, size := range slices.SortedFunc(maps.Keys(executors), larger(shape)) {
		for range executors[size] {
			i := slices.IndexFunc(open, func(room observation.Resources) bool { return fits(room, size) > 0 })
			if i < 0 {
				open = append(open, shape)
				i = len(open) - 1
			}
			open[i] = minus(open[i], size, 1)
		}
	}
	return len(open) - before
}

func sized(cpu, memory, gpu int64) observation.Resources {
	return observation.Resources{CPU: cpu, Memory: memory, GPU: gpu}
}

func TestPackingTogetherIsPackingOneByOne(t *testing.T) {
	for seed := range uint64(3000) {
		random := rand.New(rand.NewPCG(seed, 1))
		shape := observation.Resources{CPU: 1 + random.Int64N(12), Memory: 1 + random.Int64N(32), GPU: random.Int64N(3)}
		sizes, most := random.IntN(6), 40
		if seed%300 == 0 { // Many shelves.
			shape.CPU, shape.Memory = 8+shape.CPU, 10_000
			sizes, most = 1500, 4
		}
		var rooms []bins
		for range random.IntN(4) {
			rooms = append(rooms, bins{sized(random.Int64N(shape.CPU+2)-1, random.Int64N(shape.Memory+1), random.Int64N(shape.GPU+1)), 1 + random.IntN(5)})
		}
		executors := map[observation.Resources]int{}
		for range sizes {
			size := sized(random.Int64N(shape.CPU+1), random.Int64N(shape.Memory+1), random.Int64N(shape.GPU+2)-1)
			if fits(shape, size) > 0 {
				executors[size] += random.IntN(most)
			}
		}
		require.Equal(t, packOneByOne(rooms, shape, executors), pack(rooms, shape, executors), "seed %d: %v into %v and %v", seed, executors, rooms, shape)
	}
}

func TestPackingIsNeverBelowWhatTheResourcesTake(t *testing.T) {
	shape := observation.Resources{CPU: 8, Memory: 64}
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 2))
		executors, total := map[observation.Resources]int{}, observation.Resources{}
		for range 1 + random.IntN(5) {
			size, count := observation.Resources{CPU: 1 + random.Int64N(8), Memory: 1 + random.Int64N(64)}, 1+random.IntN(50)
			executors[size] += count
			total = minus(total, size, -count)
		}
		least := max((total.CPU+7)/8, (total.Memory+63)/64)
		got := int64(pack(nil, shape, executors))
		require.GreaterOrEqual(t, got, least, "seed %d", seed)
	}
}
