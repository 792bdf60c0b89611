// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package cluster brings a cluster up, looks after it from the host, and takes
// it down.
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/xflops/flame-operator/hack/localcluster/build"
	"github.com/xflops/flame-operator/hack/localcluster/node"
)

// Cluster is the cluster of a folder, whether it is up or not.
type Cluster struct {
	identity
	cache    build.Cache
	progress io.Writer
}

// record is what the folder of a cluster says about it.
type record struct {
	Node     node.Process `json:"node"`
	HostLink string       `json:"hostLink"`
	Cgroup   string       `json:"cgroup"`
	// Complete is set once the cluster was up and well.
	Complete bool `json:"complete"`
}

// recordFile marks a folder as one of a cluster.
const recordFile = "cluster.json"

// New returns the cluster of the folder dir.
func New(dir string, cache build.Cache, progress io.Writer) (*Cluster, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return &Cluster{identity: identify(resolve(absolute)), cache: cache, progress: progress}, nil
}

// resolve follows symbolic links as far as path exists: one folder is one
// cluster, by whatever path, before it is made and after.
func resolve(path string) string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved
	}
	if path == filepath.Dir(path) {
		return path
	}
	return filepath.Join(resolve(filepath.Dir(path)), filepath.Base(path))
}

// Kubeconfig is the path of the cluster's KUBECONFIG.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.dir, "kubeconfig") }

func (c *Cluster) say(format string, args ...any) {
	fmt.Fprintf(c.progress, format+"\n", args...)
}

// lock keeps two callers from bringing up or taking down the same cluster at once.
func (c *Cluster) lock(ctx context.Context) (unlock func(), err error) {
	return build.Lock(ctx, filepath.Join(c.cache.Dir, "locks", c.name+".lock"), func() {
		c.say("Another process is at work on this cluster; waiting for it.")
	})
}

// read returns the record, which is empty if there is no cluster.
func (c *Cluster) read() (record, error) {
	var r record
	content, err := os.ReadFile(filepath.Join(c.dir, recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(content, &r); err != nil {
		return r, fmt.Errorf("read %q: %w", filepath.Join(c.dir, recordFile), err)
	}
	return r, nil
}

func (c *Cluster) write(r record) error {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.dir, recordFile), append(content, '\n'), 0o644)
}

// running returns the node of a cluster that is up.
func (c *Cluster) running() (node.Process, error) {
	r, err := c.read()
	if err == nil && !r.Node.Alive() {
		err = fmt.Errorf("the cluster in %q is not up; bring it up first", c.dir)
	}
	return r.Node, err
}

// Exec runs a command in the cluster's network.
func (c *Cluster) Exec(ctx context.Context, command []string) error {
	if err := requireRoot(); err != nil {
		return err
	}
	process, err := c.running()
	if err != nil {
		return err
	}
	return process.Exec(ctx, command)
}

// requireRoot explains why nothing goes without it.
func requireRoot() error {
	if os.Geteuid() == 0 {
		return nil
	}
	return errors.New("this needs root, because it makes namespaces, mounts and control groups: run it with sudo, " +
		"or set KUBECONFIG to a cluster of your own (kind, minikube, OpenShift) and do without it")
}
