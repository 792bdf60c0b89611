// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package node runs the processes of a cluster in namespaces of their own.
//
// A node is one process, started with new mount, network and PID namespaces,
// that starts and restarts the components. So every cluster has the standard
// ports, paths, socket names and nft tables to itself, and when that process
// dies, the kernel ends every process, mount, interface and nft table of the
// cluster with it. All that the host sees is one end of a network link, a
// control group and the cluster's folder.
//
// Inside, the cluster's folder is at /run/cluster, /run is empty otherwise and
// /var is the folder's var.
package node

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// Paths inside the node.
const (
	// Dir is where the cluster's folder is.
	Dir = "/run/cluster"
	// ContainerdSocket is containerd's.
	ContainerdSocket = "/run/containerd/containerd.sock"
)

// Files in the cluster's folder.
const (
	specFile  = "node.json"
	stateFile = "state.json"
	// Binary is the copy of this program that runs as the node.
	Binary = "bin/localcluster"
	// LogDir holds a log of every component and of the node itself.
	LogDir = "log"
)

// Spec says what a node is.
type Spec struct {
	// Cgroup is the name of its control group.
	Cgroup string `json:"cgroup"`
	// HostLink is what its link to the host is called on the host.
	HostLink string `json:"hostLink"`
	// HostAddress and Address are the two ends of that link.
	HostAddress netip.Prefix `json:"hostAddress"`
	Address     netip.Prefix `json:"address"`
	// Components are what runs, in an order that logs and tables follow.
	Components []Component `json:"components"`
}

// Component is a process that runs as long as the node.
type Component struct {
	Name string   `json:"name"`
	Path string   `json:"path"`
	Args []string `json:"args"`
	// Env is what it gets in addition to the node's own.
	Env []string `json:"env,omitempty"`
	// Needs are the components that have to be ready before this one starts.
	Needs []string `json:"needs,omitempty"`
	Ready Check    `json:"ready"`
}

// Check finds out whether a component is ready: one of its fields is set.
type Check struct {
	// URL answers 200.
	URL string `json:"url,omitempty"`
	// Socket accepts connections.
	Socket string `json:"socket,omitempty"`
}

// State is how a node's components are.
type State struct {
	Components []ComponentState `json:"components"`
	// Problem is why the node could not start them.
	Problem string `json:"problem,omitempty"`
}

// ComponentState is how a component is.
type ComponentState struct {
	Name     string    `json:"name"`
	Ready    bool      `json:"ready"`
	Since    time.Time `json:"since"`
	Restarts int       `json:"restarts"`
	// LastExit is how it ended the last time, if it did.
	LastExit string `json:"lastExit,omitempty"`
}

// Write puts the spec into the folder of a cluster.
func (s Spec) Write(dir string) error { return writeJSON(filepath.Join(dir, specFile), s) }

// ReadSpec reads it from there.
func ReadSpec(dir string) (Spec, error) {
	var spec Spec
	return spec, readJSON(filepath.Join(dir, specFile), &spec)
}

// ReadState reads what the node last wrote about itself.
func ReadState(dir string) (State, error) {
	var state State
	return state, readJSON(filepath.Join(dir, stateFile), &state)
}

func readJSON(path string, into any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(content, into)
}

// writeJSON replaces the file at once, so that nobody reads half of it.
func writeJSON(path string, value any) error {
	content, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(content, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
