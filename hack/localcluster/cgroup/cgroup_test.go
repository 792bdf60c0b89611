// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHierarchiesAreFoundWhateverTheMachineHas(t *testing.T) {
	cases := map[string]struct {
		mountinfo string
		want      []hierarchy
	}{
		"cgroup v2": {
			"30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 none rw,nsdelegate\n",
			[]hierarchy{{mount: "/sys/fs/cgroup", unified: true}},
		},
		"cgroup v1 beside an empty v2": {
			"31 23 0:28 / /sys/fs/cgroup rw - tmpfs none rw\n" +
				"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup none rw,cpu,cpuacct\n" +
				"40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup none rw,name=systemd\n" +
				"41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 none rw\n",
			[]hierarchy{
				{mount: "/sys/fs/cgroup/cpu,cpuacct", controllers: []string{"rw", "cpu", "cpuacct"}},
				{mount: "/sys/fs/cgroup/systemd", controllers: []string{"rw", "name=systemd"}},
				{mount: "/sys/fs/cgroup/unified", unified: true},
			},
		},
		"mounted elsewhere": {"30 23 0:26 / /mnt/cgroup rw - cgroup2 none rw\n", nil},
		"none":              {"22 27 0:21 / /proc rw,relatime - proc none rw\n", nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tc.want, parse(tc.mountinfo))
		})
	}
}

func TestAV1CPUSetInheritsItsCPUs(t *testing.T) {
	mount := t.TempDir()
	write(t, mount, "cpuset.cpus", "0-1\n")
	write(t, mount, "cpuset.mems", "0\n")
	require.NoError(t, hierarchy{mount: mount, controllers: []string{"rw", "cpuset"}}.create("a"))

	for _, group := range []string{"a", "a/node"} {
		assert.Equal(t, "0-1\n", read(t, mount, group, "cpuset.cpus"))
		assert.Equal(t, "0\n", read(t, mount, group, "cpuset.mems"))
	}
}

func TestAGroupIsRemovedWithAllBelowIt(t *testing.T) {
	mount := t.TempDir()
	group := &Group{name: "a", hierarchies: []hierarchy{{mount: mount}}}
	assert.False(t, group.Exists())
	require.NoError(t, group.Create())
	require.NoError(t, os.MkdirAll(filepath.Join(mount, "a", "kubepods", "pod1"), 0o755))
	assert.True(t, group.Exists())

	require.NoError(t, group.Remove(0))
	assert.False(t, group.Exists())
	assert.NoError(t, group.Remove(0), "a group that is not there is removed")
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(content)
}
