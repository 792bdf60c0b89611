// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package capacity finds out what a node has, as Flame does: CPUs by the limit
// of the control group, memory of the whole host, GPUs by a variable.
package capacity

import (
	"bufio"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/xflops/flame-operator/test/standin/config"
)

// Detect returns the capacity of this machine as seen from this process.
func Detect() config.Resources {
	return config.Resources{CPU: cpus("/proc"), Memory: memory(), GPU: gpus(os.Getenv("CUDA_VISIBLE_DEVICES"))}
}

// cpus is the limit rounded up, at most the CPUs that the process may run on.
// Requests do not count, and without a limit it is all of the host's.
func cpus(proc string) uint64 {
	count := float64(runtime.NumCPU())
	if limit := quota(proc); limit > 0 {
		count = math.Min(count, math.Ceil(limit))
	}
	return uint64(count)
}

// quota returns the limit in CPUs of the process's own group, or 0.
func quota(proc string) float64 {
	groups := lines(filepath.Join(proc, "self/cgroup"))
	for _, mount := range lines(filepath.Join(proc, "self/mountinfo")) {
		fields := strings.Fields(mount)
		separator := slices.Index(fields, "-")
		if separator < 6 || len(fields) < separator+4 {
			continue
		}
		kind, options := fields[separator+1], strings.Split(fields[separator+3], ",")
		switch {
		case kind == "cgroup2":
			if limit := unified(directory(fields, groups, "")); limit > 0 {
				return limit
			}
		case kind == "cgroup" && slices.Index(options, "cpu") >= 0:
			dir := directory(fields, groups, "cpu")
			if limit := ratio(word(dir, "cpu.cfs_quota_us"), word(dir, "cpu.cfs_period_us")); limit > 0 {
				return limit
			}
		}
	}
	return 0
}

// directory is where the process's group of a controller is mounted. A container
// that shares the host's view of the groups sees its own at the mount point.
func directory(mount, groups []string, controller string) string {
	root, point := mount[3], mount[4]
	for _, group := range groups {
		parts := strings.SplitN(group, ":", 3)
		if len(parts) != 3 || slices.Index(strings.Split(parts[1], ","), controller) < 0 {
			continue
		}
		relative, err := filepath.Rel(root, parts[2])
		if err != nil || relative == ".." || strings.HasPrefix(relative, "../") {
			return point
		}
		return filepath.Join(point, relative)
	}
	return point
}

func unified(dir string) float64 {
	limit, period, _ := strings.Cut(word(dir, "cpu.max"), " ")
	return ratio(limit, period)
}

func ratio(limit, period string) float64 {
	a, errA := strconv.ParseFloat(limit, 64)
	b, errB := strconv.ParseFloat(period, 64)
	if errA != nil || errB != nil || a <= 0 || b <= 0 {
		return 0
	}
	return a / b
}

func word(dir, name string) string {
	content, _ := os.ReadFile(filepath.Join(dir, name))
	return strings.TrimSpace(string(content))
}

// memory is all that the host has, whatever the limit of the process.
func memory() uint64 {
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) != nil {
		return 0
	}
	return info.Totalram * uint64(info.Unit)
}

// gpus counts the devices that are named. Unlike Flame the stand-in does not
// ask NVML when there is no name.
func gpus(visible string) int32 {
	if visible == "" || visible == "-1" {
		return 0
	}
	return int32(strings.Count(visible, ",") + 1)
}

func lines(path string) []string {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }()
	var found []string
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		found = append(found, scanner.Text())
	}
	return found
}
