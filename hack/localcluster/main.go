// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Localcluster brings up a real single-node Kubernetes on a bare Linux
// machine, from Go modules and a few Debian packages, and takes it down again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/xflops/flame-operator/hack/localcluster/build"
	"github.com/xflops/flame-operator/hack/localcluster/cluster"
	"github.com/xflops/flame-operator/hack/localcluster/node"
)

const usage = `usage: go run . COMMAND [flags]

  up                bring the cluster up; prints the path of its KUBECONFIG
  down              take it down; nothing is left of it
  status            say how it is; exits 1 unless it is up and well
  load IMAGE.tar... give it images; a tag that it has is replaced
  exec -- COMMAND   run a command in the cluster's network, where pods and
                    Services can be reached
  build SET...|all  only build binaries; prints their folders
  assets            only build kube-apiserver, etcd and kubectl; prints the
                    folder for KUBEBUILDER_ASSETS

Flags of up, down, status, load and exec:
  --dir DIR         folder of the cluster (default: cluster in the cache)

The cache is $FLAME_OPERATOR_CACHE, or flame-operator in the user's cache folder.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	var ended *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &ended) && ended.Exited() && os.Args[1] == "exec":
		// The command that was run has said itself what is wrong.
		os.Exit(ended.ExitCode())
	default:
		fmt.Fprintln(os.Stderr, "localcluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return errors.New("no command was given")
	}
	if args[0] == "node" {
		// The command up starts this one in namespaces of its own; nobody else calls it.
		return node.Run(args[1])
	}
	cacheDir, err := build.DefaultDir()
	if err != nil {
		return err
	}
	cache := build.Cache{Dir: cacheDir, Source: findSource(), Progress: os.Stderr}

	command, args := args[0], args[1:]
	switch command {
	case "build":
		return runBuild(ctx, cache, args)
	case "assets":
		folder, err := cache.Assets(ctx)
		if err != nil {
			return err
		}
		fmt.Println(folder)
		return nil
	case "help", "-h", "--help":
		fmt.Print(usage)
		return nil
	}
	flags := flag.NewFlagSet(command, flag.ExitOnError)
	dir := flags.String("dir", filepath.Join(cacheDir, "cluster"), "folder of the cluster")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch command {
	case "up", "down", "status", "load", "exec":
		return runCluster(ctx, command, *dir, cache, flags.Args())
	}
	fmt.Fprint(os.Stderr, usage)
	return fmt.Errorf("there is no command %q", command)
}

func runCluster(ctx context.Context, command, dir string, cache build.Cache, args []string) error {
	local, err := cluster.New(dir, cache, os.Stderr)
	if err != nil {
		return err
	}
	switch command {
	case "up":
		if err := local.Up(ctx); err != nil {
			return err
		}
		fmt.Println(local.Kubeconfig())
		return nil
	case "down":
		return local.Down(ctx)
	case "status":
		return local.Status(ctx, os.Stdout)
	case "load":
		if len(args) == 0 {
			return errors.New("name the image archives to load")
		}
		return local.Load(ctx, args)
	default:
		if len(args) == 0 {
			return errors.New("name the command to run")
		}
		return local.Exec(ctx, args)
	}
}

func runBuild(ctx context.Context, cache build.Cache, names []string) error {
	if len(names) == 0 {
		return errors.New("name the sets to build, or all")
	}
	sets := build.Sets
	if len(names) == 1 && names[0] == "all" {
		// The assets come first, because tests that need no cluster wait for them.
		if _, err := cache.Assets(ctx); err != nil {
			return err
		}
	} else {
		sets = nil
		for _, name := range names {
			set, err := build.Find(name)
			if err != nil {
				return err
			}
			sets = append(sets, set)
		}
	}
	for _, set := range sets {
		folder, err := cache.Folder(ctx, set)
		if err != nil {
			return err
		}
		fmt.Println(folder)
	}
	return nil
}

// findSource returns the top of the project: the folder at or above the current one that
// has hack/tools. The result is empty outside a clone, where a cluster can be looked
// after but nothing can be built.
func findSource() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "hack", "tools", "kubernetes", "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
		dir = filepath.Dir(dir)
	}
}
