// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package build makes the binaries of a cluster from pinned Go modules, once
// for all clones on a machine: what a binary is made of decides the folder of
// the cache that it lies in.
package build

import (
	"fmt"
	"slices"
	"strings"
)

// Set is a group of binaries that are built from one module.
type Set struct {
	// Name is what the set is asked for by, and begins the name of its folder in the cache.
	Name string
	// Module is the folder of the module, seen from the top of the project.
	Module string
	// Packages maps the binaries to the packages they are built from.
	Packages map[string]string
	// Tags are Go build tags.
	Tags []string
	// Stamp are variables for the linker.
	Stamp []string
}

// KubernetesVersion is the version that hack/tools/kubernetes pins. Kubernetes' binaries
// refuse to talk to each other unless the version is stamped into them.
const KubernetesVersion = "v1.37.2"

// Names of the sets.
const (
	Kubernetes = "kubernetes"
	Etcd       = "etcd"
	Containerd = "containerd"
	CoreDNS    = "coredns"
	LocalPath  = "localpath"
	Pause      = "pause"
)

// Sets are all there are, the longest to build first.
var Sets = []Set{
	{
		Name:   Kubernetes,
		Module: "hack/tools/kubernetes",
		Packages: map[string]string{
			"kube-apiserver":          "k8s.io/kubernetes/cmd/kube-apiserver",
			"kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
			"kube-proxy":              "k8s.io/kubernetes/cmd/kube-proxy",
			"kube-scheduler":          "k8s.io/kubernetes/cmd/kube-scheduler",
			"kubectl":                 "k8s.io/kubernetes/cmd/kubectl",
			"kubelet":                 "k8s.io/kubernetes/cmd/kubelet",
		},
		Stamp: stampOf(KubernetesVersion),
	},
	{
		Name:   Containerd,
		Module: "hack/tools/containerd",
		Packages: map[string]string{
			"containerd":              "github.com/containerd/containerd/v2/cmd/containerd",
			"containerd-shim-runc-v2": "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
			"ctr":                     "github.com/containerd/containerd/v2/cmd/ctr",
		},
		Tags: []string{"no_btrfs", "no_devmapper", "no_zfs"},
	},
	{
		Name:     CoreDNS,
		Module:   "hack/tools/coredns",
		Packages: map[string]string{"coredns": "."},
	},
	{
		Name:     Etcd,
		Module:   "hack/tools/etcd",
		Packages: map[string]string{"etcd": "go.etcd.io/etcd/server/v3"},
	},
	{
		Name:     LocalPath,
		Module:   "hack/tools/localpath",
		Packages: map[string]string{"local-path-provisioner": "github.com/rancher/local-path-provisioner"},
	},
	{
		Name:     Pause,
		Module:   "hack/localcluster",
		Packages: map[string]string{"pause": "./pause"},
	},
}

// Find returns the set of that name.
func Find(name string) (Set, error) {
	names := make([]string, len(Sets))
	for i, set := range Sets {
		if set.Name == name {
			return set, nil
		}
		names[i] = set.Name
	}
	return Set{}, fmt.Errorf("there is no set %q; there are %s", name, strings.Join(names, ", "))
}

// binaries returns the names of the binaries, sorted.
func (s Set) binaries() []string {
	names := make([]string, 0, len(s.Packages))
	for name := range s.Packages {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// flags are those of go build.
func (s Set) flags() []string {
	ldflags := []string{"-s", "-w"}
	for _, assignment := range s.Stamp {
		ldflags = append(ldflags, "-X", assignment)
	}
	flags := []string{"-trimpath", "-buildvcs=false", "-ldflags=" + strings.Join(ldflags, " ")}
	if len(s.Tags) > 0 {
		flags = append(flags, "-tags="+strings.Join(s.Tags, ","))
	}
	return flags
}

// stampOf returns what Kubernetes' own build writes into its binaries for version.
func stampOf(version string) []string {
	major, minor, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	var stamp []string
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		stamp = append(stamp,
			pkg+".gitVersion="+version,
			pkg+".gitMajor="+major,
			pkg+".gitMinor="+minor,
			pkg+".gitTreeState=clean",
		)
	}
	return stamp
}
