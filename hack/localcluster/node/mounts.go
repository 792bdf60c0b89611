// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// arrangeMounts gives the node a view of the file system of its own.
func arrangeMounts(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close() //nolint:errcheck // It was only read.
	// The folder stays reachable this way when it is under /run or /var.
	folderPath := fmt.Sprintf("/proc/self/fd/%d", folder.Fd())

	steps := []struct {
		what           string
		source, target string
		kind           string
		flags          uintptr
		data           string
	}{
		// The host's mounts may still go; nothing of the node reaches the host.
		{"leave the host's mounts", "", "/", "", unix.MS_SLAVE | unix.MS_REC, ""},
		// Volumes that are mounted later have to reach containers.
		{"share mounts with containers", "", "/", "", unix.MS_SHARED | unix.MS_REC, ""},
		{"show the node's processes", "proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{"make an empty /run", "tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=755"},
		{"show the cluster's folder", folderPath, Dir, "", unix.MS_BIND, ""},
		{"show its var", Dir + "/var", "/var", "", unix.MS_BIND, ""},
	}
	for _, step := range steps {
		if step.target == Dir {
			if err := os.Mkdir(Dir, 0o755); err != nil {
				return err
			}
		}
		if err := unix.Mount(step.source, step.target, step.kind, step.flags, step.data); err != nil {
			return fmt.Errorf("%s: mount %q: %w", step.what, step.target, err)
		}
	}
	return maskSettings()
}

// maskSettings shows the kubelet the kernel settings that it would otherwise
// make: they are the whole machine's, and would outlive the cluster.
func maskSettings() error {
	for setting, value := range map[string]string{
		"vm/overcommit_memory":      "1",
		"vm/panic_on_oom":           "0",
		"kernel/panic":              "10",
		"kernel/panic_on_oops":      "1",
		"kernel/keys/root_maxkeys":  "1000000",
		"kernel/keys/root_maxbytes": "25000000",
	} {
		mask := filepath.Join("/run/settings", setting)
		if err := os.MkdirAll(filepath.Dir(mask), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(mask, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		target := filepath.Join("/proc/sys", setting)
		if err := unix.Mount(mask, target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mask the setting %q: %w", target, err)
		}
	}
	return nil
}
