// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/xflops/flame-operator/hack/localcluster/build"
	"github.com/xflops/flame-operator/hack/localcluster/cgroup"
	"github.com/xflops/flame-operator/hack/localcluster/node"
	"github.com/xflops/flame-operator/hack/localcluster/setup"
)

// Up brings the cluster up. A cluster that is up and well is left alone. A cluster that
// is not well gets a moment to recover by itself, and is made anew if it does not.
func (c *Cluster) Up(ctx context.Context) error {
	if err := requireRoot(); err != nil {
		return err
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	started := time.Now()
	if kept, err := c.keep(ctx); err != nil || kept {
		return err
	}
	if err := c.requireEmptyFolder(); err != nil {
		return err
	}
	if err := c.installPackages(ctx); err != nil {
		return err
	}
	binaries, err := c.binaries(ctx)
	if err != nil {
		return err
	}
	archives, err := c.ownImages(binaries)
	if err != nil {
		return err
	}
	c.say("Starting a cluster in %s.", c.dir)
	if err := c.start(ctx, binaries, archives); err != nil {
		return fmt.Errorf("%w\nThe logs are in %s. Take the rest down with \"down\", or try \"up\" again",
			err, filepath.Join(c.dir, node.LogDir))
	}
	c.say("The cluster is up, after %.0f s.", time.Since(started).Seconds())
	return nil
}

// keep reports whether there is a cluster that can stay. The remains of a cluster that
// cannot stay are removed.
func (c *Cluster) keep(ctx context.Context) (bool, error) {
	r, err := c.read()
	if err != nil {
		return false, err
	}
	if r.Node.Alive() && r.Complete {
		if c.check(ctx, r.Node) == nil {
			c.say("The cluster in %s is up already.", c.dir)
			return true, nil
		}
		c.say("The cluster in %s is not well; waiting for it to recover.", c.dir)
		err := c.wait(ctx, r.Node, "the cluster", 2*time.Minute, func(ctx context.Context) error {
			return c.check(ctx, r.Node)
		})
		if err == nil {
			c.say("It recovered.")
			return true, nil
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		c.say("It did not: %v", err)
	}
	found, err := c.clean(ctx)
	if found && err == nil {
		c.say("Removed what was left of an earlier cluster in %s.", c.dir)
	}
	return false, err
}

// binaries returns the paths of all binaries, by name, after building those that are missing.
func (c *Cluster) binaries(ctx context.Context) (map[string]string, error) {
	paths := map[string]string{}
	for _, set := range build.Sets {
		folder, err := c.cache.Folder(ctx, set)
		if err != nil {
			return nil, err
		}
		for name := range set.Packages {
			paths[name] = filepath.Join(folder, name)
		}
	}
	return paths, nil
}

func (c *Cluster) start(ctx context.Context, binaries map[string]string, archives []string) error {
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	host, address, err := c.addresses(node.Taken)
	if err != nil {
		return err
	}
	group, err := cgroup.Of(c.cgroup())
	if err != nil {
		return err
	}
	values := setup.Values{
		NodeIP: address.Addr().String(), CgroupRoot: group.Path(), Snapshotter: c.snapshotter(), Images: images,
	}
	if err := c.writeFolder(values, binaries); err != nil {
		return err
	}
	spec := node.Spec{
		Cgroup: c.cgroup(), HostLink: c.hostLink(), HostAddress: host, Address: address,
		Components: setup.Components(values),
	}
	if err := spec.Write(c.dir); err != nil {
		return err
	}
	if err := group.Create(); err != nil {
		return err
	}
	r := record{HostLink: c.hostLink(), Cgroup: c.cgroup()}
	if r.Node, err = node.Start(c.dir); err != nil {
		return err
	}
	if err := c.write(r); err != nil {
		return errors.Join(err, r.Node.Kill(ctx))
	}
	if err := node.Connect(spec, r.Node.PID); err != nil {
		return err
	}
	if err := c.furnish(ctx, values, r.Node, archives); err != nil {
		return err
	}
	r.Complete = true
	return c.write(r)
}

// furnish waits for the components, and gives the cluster what makes it whole.
func (c *Cluster) furnish(ctx context.Context, values setup.Values, process node.Process, archives []string) error {
	c.say("Waiting for the control plane and containerd.")
	var loading sync.WaitGroup
	var loadErr error
	loading.Go(func() { loadErr = c.loadWhenReady(ctx, process, archives) })
	err := c.wait(ctx, process, "the components", 2*time.Minute, func(context.Context) error { return c.checkComponents() })
	loading.Wait()
	if err := errors.Join(err, loadErr); err != nil {
		return err
	}
	manifests, err := setup.Manifests(values)
	if err != nil {
		return err
	}
	c.say("Waiting for the node, cluster DNS and the provisioner of volumes.")
	err = c.wait(ctx, process, "the objects of the cluster", time.Minute, func(ctx context.Context) error {
		_, err := c.kubectl(ctx, manifests, "apply", "--server-side", "--force-conflicts", "-f", "-")
		return err
	})
	if err != nil {
		return err
	}
	err = c.wait(ctx, process, "the cluster", 2*time.Minute, func(ctx context.Context) error { return c.check(ctx, process) })
	if err != nil {
		return err
	}
	return c.wait(ctx, process, "the provisioner of volumes", time.Minute, func(ctx context.Context) error {
		_, err := c.kubectl(ctx, nil, "rollout", "status", "--timeout=10s", "-n", "local-path-storage", "deployment/local-path-provisioner")
		return err
	})
}

// loadWhenReady loads the cluster's own images as soon as containerd can take them.
func (c *Cluster) loadWhenReady(ctx context.Context, process node.Process, archives []string) error {
	err := c.wait(ctx, process, "containerd", time.Minute, func(context.Context) error {
		state, err := node.ReadState(c.dir)
		if err != nil {
			return err
		}
		if state.Problem != "" {
			return fmt.Errorf("the node cannot start: %s", state.Problem)
		}
		for _, component := range state.Components {
			if component.Name == "containerd" && component.Ready {
				return nil
			}
		}
		return &componentError{name: "containerd", log: c.logOf("containerd")}
	})
	if err != nil {
		return err
	}
	quiet := *c
	quiet.progress = io.Discard
	return quiet.load(ctx, process, archives)
}
