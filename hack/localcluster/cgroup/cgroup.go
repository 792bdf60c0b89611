// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package cgroup gives a cluster a control group of its own in every
// hierarchy, on cgroup v1 (hybrid, too) and v2, and removes it with all that
// pods left in it.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// leaf is where a cluster's own processes are. On v2 a group that hands
// controllers to its children may hold no process itself.
const leaf = "node"

// Group is a control group of the same name in every hierarchy.
type Group struct {
	name        string
	hierarchies []hierarchy
}

type hierarchy struct {
	mount       string
	controllers []string
	unified     bool
}

// Of returns the group of that name, whether it is there or not.
func Of(name string) (*Group, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	all := parse(string(mounts))
	if len(all) == 0 {
		return nil, errors.New("no cgroup file system is mounted under /sys/fs/cgroup")
	}
	return &Group{name: name, hierarchies: all}, nil
}

// parse finds the cgroup hierarchies of a mountinfo. The unified one of a
// hybrid machine has no controllers: it is listed for what pods may leave there.
func parse(mountinfo string) []hierarchy {
	var all []hierarchy
	for line := range strings.Lines(mountinfo) {
		before, after, found := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !found || len(left) < 5 || len(right) < 3 || !strings.HasPrefix(left[4], "/sys/fs/cgroup") {
			continue
		}
		switch right[0] {
		case "cgroup":
			all = append(all, hierarchy{mount: left[4], controllers: strings.Split(right[2], ",")})
		case "cgroup2":
			all = append(all, hierarchy{mount: left[4], unified: true})
		}
	}
	return all
}

// Path is what the kubelet and containers call the group.
func (g *Group) Path() string { return "/" + g.name }

// Create makes the group.
func (g *Group) Create() error {
	for _, h := range g.hierarchies {
		if err := h.create(g.name); err != nil {
			return fmt.Errorf("create control group %q in %q: %w", g.name, h.mount, err)
		}
	}
	return nil
}

func (h hierarchy) create(name string) error {
	group := filepath.Join(h.mount, name)
	for _, dir := range []string{group, filepath.Join(group, leaf)} {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if slices.Contains(h.controllers, "cpuset") {
			if err := inheritCPUs(dir); err != nil {
				return err
			}
		}
	}
	if !h.unified {
		return nil
	}
	for _, dir := range []string{h.mount, group} {
		if err := delegate(dir); err != nil {
			return err
		}
	}
	return nil
}

// inheritCPUs copies the CPUs and memory nodes from above: a new v1 cpuset has
// none, and nothing can run in it.
func inheritCPUs(dir string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file), value, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// delegate hands every controller of a v2 group to its children.
func delegate(dir string) error {
	controllers, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for controller := range strings.FieldsSeq(string(controllers)) {
		file := filepath.Join(dir, "cgroup.subtree_control")
		if err := os.WriteFile(file, []byte("+"+controller), 0o644); err != nil {
			return fmt.Errorf("hand on the controller %q: %w", controller, err)
		}
	}
	return nil
}

// Join moves the calling process, and with it what it will start, into the group.
func (g *Group) Join() error {
	for _, h := range g.hierarchies {
		file := filepath.Join(h.mount, g.name, leaf, "cgroup.procs")
		if err := os.WriteFile(file, []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
			return fmt.Errorf("join control group: %w", err)
		}
	}
	return nil
}

// Exists reports whether any part of the group exists.
func (g *Group) Exists() bool {
	return slices.ContainsFunc(g.hierarchies, func(h hierarchy) bool {
		_, err := os.Stat(filepath.Join(h.mount, g.name))
		return err == nil
	})
}

// Remove removes the group and all below it. The processes in it must be gone;
// the kernel may take a moment to notice that they are.
func (g *Group) Remove(patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for {
		var errs []error
		for _, h := range g.hierarchies {
			errs = append(errs, removeTree(filepath.Join(h.mount, g.name)))
		}
		err := errors.Join(errs...)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// removeTree removes a group after the groups below it. A group's files belong to the
// kernel and go with the group.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		if entry.IsDir() {
			errs = append(errs, removeTree(filepath.Join(dir, entry.Name())))
		}
	}
	if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, &fs.PathError{Op: "rmdir", Path: dir, Err: err})
	}
	return errors.Join(errs...)
}
