// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package capacity

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCPUs(t *testing.T) {
	for name, test := range map[string]struct {
		group, mount string
		files        map[string]string
		want         uint64
	}{
		"no group at all": {want: uint64(runtime.NumCPU())},
		"version 2 without a limit": {
			group: "0::/", mount: "30 20 0:26 / %s rw - cgroup2 cgroup rw",
			files: map[string]string{"cpu.max": "max 100000"}, want: uint64(runtime.NumCPU()),
		},
		"version 2 rounds up": {
			group: "0::/", mount: "30 20 0:26 / %s rw - cgroup2 cgroup rw",
			files: map[string]string{"cpu.max": "50000 100000"}, want: 1,
		},
		"version 2 in a group below": {
			group: "0::/a/b", mount: "30 20 0:26 /a %s rw - cgroup2 cgroup rw",
			files: map[string]string{"b/cpu.max": "100000 100000"}, want: 1,
		},
		"version 1": {
			group: "4:cpu,cpuacct:/a", mount: "30 20 0:26 / %s rw shared:1 - cgroup cgroup rw,cpu,cpuacct",
			files: map[string]string{"a/cpu.cfs_quota_us": "100000", "a/cpu.cfs_period_us": "100000"}, want: 1,
		},
		"version 1 in a container that sees the host's path": {
			group: "4:cpu,cpuacct:/kubepods/x", mount: "30 20 0:26 /kubepods/x %s rw - cgroup cgroup rw,cpu,cpuacct",
			files: map[string]string{"cpu.cfs_quota_us": "100000", "cpu.cfs_period_us": "100000"}, want: 1,
		},
		"version 1 without a limit": {
			group: "4:cpu:/", mount: "30 20 0:26 / %s rw - cgroup cgroup rw,cpu",
			files: map[string]string{"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, want: uint64(runtime.NumCPU()),
		},
	} {
		t.Run(name, func(t *testing.T) {
			proc, point := t.TempDir(), t.TempDir()
			put := func(path, text string) {
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, []byte(text+"\n"), 0o644))
			}
			if test.mount != "" {
				put(filepath.Join(proc, "self/cgroup"), test.group)
				put(filepath.Join(proc, "self/mountinfo"), fmt.Sprintf(test.mount, point))
			}
			for file, text := range test.files {
				put(filepath.Join(point, file), text)
			}
			assert.Equal(t, test.want, cpus(proc))
		})
	}
}

func TestGPUs(t *testing.T) {
	for visible, want := range map[string]int32{"": 0, "-1": 0, "0": 1, "0,1": 2, "GPU-a,GPU-b,GPU-c": 3} {
		assert.Equal(t, want, gpus(visible), visible)
	}
}

func TestMemoryIsTheHosts(t *testing.T) {
	assert.Greater(t, Detect().Memory, uint64(1<<28))
}
