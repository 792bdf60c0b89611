// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// ParseResources reads "cpu=1,mem=1g,gpu=0": keys in any case, the last of two
// equal ones wins, a missing one is 0, and CPUs are whole numbers.
func ParseResources(list string) (Resources, error) {
	var resources Resources
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		key, value, found := strings.Cut(part, "=")
		key, value = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)
		if !found || value == "" || strings.Contains(value, "=") {
			return Resources{}, invalid("resource requirement entry %q: want key=value", part)
		}
		var err error
		switch key {
		case "cpu":
			resources.CPU, err = strconv.ParseUint(strings.TrimPrefix(value, "+"), 10, 64)
		case "mem", "memory":
			resources.Memory, err = ParseSize(value)
		case "gpu":
			var gpu int64
			gpu, err = strconv.ParseInt(value, 10, 32)
			resources.GPU = int32(gpu)
		default:
			return Resources{}, invalid("unknown resource requirement key %q", key)
		}
		if err != nil {
			return Resources{}, invalid("%s value %q: %v", key, value, err)
		}
	}
	return resources, nil
}

var size = regexp.MustCompile(`^([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([a-zA-Z]*)$`)

var units = map[string]float64{
	"": 1, "b": 1,
	"k": 1 << 10, "kb": 1 << 10, "ki": 1 << 10, "kib": 1 << 10,
	"m": 1 << 20, "mb": 1 << 20, "mi": 1 << 20, "mib": 1 << 20,
	"g": 1 << 30, "gb": 1 << 30, "gi": 1 << 30, "gib": 1 << 30,
	"t": 1 << 40, "tb": 1 << 40, "ti": 1 << 40, "tib": 1 << 40,
	"p": 1 << 50, "pb": 1 << 50, "pi": 1 << 50, "pib": 1 << 50,
}

// ParseSize reads a size. All units are binary, "m" is MiB and not milli, and a
// number alone is bytes.
func ParseSize(written string) (uint64, error) {
	match := size.FindStringSubmatch(strings.TrimSpace(written))
	if match == nil {
		return 0, invalid("memory size %q", written)
	}
	unit, known := units[strings.ToLower(match[2])]
	if !known {
		return 0, invalid("memory size %q: unknown unit", written)
	}
	number, err := strconv.ParseFloat(match[1], 64)
	if err != nil || number*unit >= math.MaxUint64 {
		return 0, invalid("memory size %q", written)
	}
	return uint64(number * unit), nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("InvalidConfig(%q)", "invalid "+fmt.Sprintf(format, args...))
}
