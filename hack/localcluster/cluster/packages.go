// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// needed are the files of the host that a cluster uses, and the Debian packages that have them.
var needed = []struct{ file, pkg string }{
	{"runc", "runc"},
	{"nft", "nftables"},
	{"mount", "mount"},
	{"/usr/lib/cni/ptp", "containernetworking-plugins"},
	{"/usr/lib/cni/host-local", "containernetworking-plugins"},
	{"busybox", "busybox-static"},
}

// installPackages installs what the host lacks, or says what that is.
func (c *Cluster) installPackages(ctx context.Context) error {
	missing := missingPackages()
	if len(missing) == 0 {
		return nil
	}
	list := strings.Join(missing, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("install these, by the names that they have on Debian, and try again: %s", list)
	}
	c.say("Installing Debian packages: %s.", list)
	install := append([]string{"install", "--yes", "--no-install-recommends"}, missing...)
	if _, err := aptGet(ctx, install...); err == nil {
		return nil
	}
	// The package lists of a fresh machine are empty.
	if out, err := aptGet(ctx, "update"); err != nil {
		return fmt.Errorf("apt-get update: %w\n%s", err, lastLines(out, 10))
	}
	if out, err := aptGet(ctx, install...); err != nil {
		return fmt.Errorf("install %s with apt-get: %w\n%s", list, err, lastLines(out, 10))
	}
	return nil
}

func missingPackages() []string {
	var missing []string
	for _, need := range needed {
		var err error
		if filepath.IsAbs(need.file) {
			_, err = os.Stat(need.file)
		} else {
			_, err = exec.LookPath(need.file)
		}
		if err != nil && (len(missing) == 0 || missing[len(missing)-1] != need.pkg) {
			missing = append(missing, need.pkg)
		}
	}
	return missing
}

func aptGet(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"--quiet", "-o", "DPkg::Lock::Timeout=300"}, args...)...)
	cmd.Env = append(cmd.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// lastLines returns the end of text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
