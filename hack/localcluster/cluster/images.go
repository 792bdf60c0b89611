// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/xflops/flame-operator/hack/image/archive"
	"github.com/xflops/flame-operator/hack/localcluster/node"
	"github.com/xflops/flame-operator/hack/localcluster/setup"
)

// images are those that the cluster itself runs. No registry has them.
var images = setup.Images{
	Pause:     "localcluster.internal/pause:v1",
	CoreDNS:   "localcluster.internal/coredns:v1",
	LocalPath: "localcluster.internal/local-path-provisioner:v1",
	BusyBox:   "localcluster.internal/busybox:v1",
}

// ownImages makes the archives of the cluster's own images and returns their paths.
func (c *Cluster) ownImages(binaries map[string]string) ([]string, error) {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return nil, err
	}
	busybox, err = filepath.EvalSymlinks(busybox)
	if err != nil {
		return nil, err
	}
	var archives []string
	for _, image := range []struct{ tag, source, path string }{
		{images.Pause, binaries["pause"], "/pause"},
		{images.CoreDNS, binaries["coredns"], "/coredns"},
		{images.LocalPath, binaries["local-path-provisioner"], "/local-path-provisioner"},
		{images.BusyBox, busybox, "/bin/busybox"},
	} {
		file, err := c.ownImage(image.tag, image.source, image.path)
		if err != nil {
			return nil, fmt.Errorf("make the image %q: %w", image.tag, err)
		}
		archives = append(archives, file)
	}
	return archives, nil
}

func (c *Cluster) ownImage(tag, source, path string) (string, error) {
	info, err := os.Stat(source)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d %d", tag, source, path, info.Size(), info.ModTime().UnixNano()))
	file := filepath.Join(c.cache.Dir, "images", filepath.Base(path)+"-"+hex.EncodeToString(sum[:6])+".tar")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	spec := archive.Spec{
		Entries:      []archive.Entry{{Path: path, Mode: 0o755, Source: source}},
		Entrypoint:   []string{path},
		Architecture: runtime.GOARCH,
	}
	if tag == images.BusyBox {
		// The provisioner's helper calls these by name.
		for _, applet := range []string{"sh", "mkdir", "rm"} {
			spec.Entries = append(spec.Entries, archive.Entry{
				Path: "/bin/" + applet, Mode: fs.ModeSymlink | 0o777, Target: path,
			})
		}
		spec.Entrypoint = nil
	}
	img, err := archive.Build(spec)
	if err != nil {
		return "", err
	}
	return file, archive.Write(file, img, tag)
}

// Load gives image archives to the cluster. A tag that it has already is replaced.
func (c *Cluster) Load(ctx context.Context, archives []string) error {
	if err := requireRoot(); err != nil {
		return err
	}
	process, err := c.running()
	if err != nil {
		return err
	}
	return c.load(ctx, process, archives)
}

func (c *Cluster) load(ctx context.Context, process node.Process, archives []string) error {
	for _, file := range archives {
		// The socket is in the node's file system, which the kernel shows to root here.
		socket := fmt.Sprintf("/proc/%d/root%s", process.PID, node.ContainerdSocket)
		cmd := exec.CommandContext(ctx, filepath.Join(c.dir, "bin", "ctr"),
			"--address", socket, "--namespace", "k8s.io", "images", "import", file)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("load %q: %w\n%s", file, err, lastLines(string(out), 5))
		}
		c.say("Loaded %s.", filepath.Base(file))
	}
	return nil
}
