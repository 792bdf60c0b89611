// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/xflops/flame-operator/hack/localcluster/node"
	"github.com/xflops/flame-operator/hack/localcluster/setup"
)

// requireEmptyFolder keeps a cluster out of a folder that is somebody else's.
func (c *Cluster) requireEmptyFolder() error {
	if entries, err := os.ReadDir(c.dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%q is not empty and holds no cluster; choose another --dir", c.dir)
	}
	return nil
}

// writeFolder fills the folder of the cluster.
func (c *Cluster) writeFolder(values setup.Values, binaries map[string]string) error {
	for _, dir := range []string{"bin", "etc", "log", "var/lib", "var/log", "var/cache", "var/tmp"} {
		if err := os.MkdirAll(filepath.Join(c.dir, dir), 0o755); err != nil {
			return err
		}
	}
	// From here on it can be recognised.
	if err := c.write(record{HostLink: c.hostLink(), Cgroup: c.cgroup()}); err != nil {
		return err
	}
	if err := os.Symlink("/run", filepath.Join(c.dir, "var", "run")); err != nil {
		return err
	}
	files, err := setup.Files(values)
	if err != nil {
		return err
	}
	for name, content := range files {
		path := filepath.Join(c.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := copyFile(self, filepath.Join(c.dir, node.Binary)); err != nil {
		return err
	}
	for name, path := range binaries {
		if err := linkOrCopy(path, filepath.Join(c.dir, "bin", name)); err != nil {
			return err
		}
	}
	return nil
}

// removeFolder removes what up wrote, and the folder unless somebody else has something in it.
func (c *Cluster) removeFolder() error {
	for _, name := range []string{"bin", "etc", "log", "var", "kubeconfig", "node.json", "state.json", "state.json.new", recordFile} {
		if err := os.RemoveAll(filepath.Join(c.dir, name)); err != nil {
			return err
		}
	}
	if err := os.Remove(c.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.say("%s stays: it holds files that are not the cluster's.", c.dir)
	}
	return nil
}

// snapshotter returns how containerd is to lay the layers of images over each
// other. The kernel cannot lay an overlay over another one, as a container's folders are.
func (c *Cluster) snapshotter() string {
	var stat unix.Statfs_t
	if err := unix.Statfs(c.dir, &stat); err == nil && stat.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return "native"
	}
	return "overlayfs"
}

func linkOrCopy(from, to string) error {
	if err := os.Link(from, to); err == nil {
		return nil
	}
	return copyFile(from, to)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // It was only read.
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
