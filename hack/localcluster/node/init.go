// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/xflops/flame-operator/hack/localcluster/cgroup"
)

// Run is the node: process 1 of its namespaces. Run returns when it is told to stop or
// cannot start; either way the kernel ends what Run started.
func Run(dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if os.Getpid() != 1 {
		return fmt.Errorf("only %q starts a node, in namespaces of its own", "up")
	}
	spec, err := ReadSpec(dir)
	if err != nil {
		return err
	}
	// The first extra file that Start hands over; no component is to have it.
	host := os.NewFile(3, "the host's network")
	syscall.CloseOnExec(int(host.Fd()))
	if err := prepare(ctx, dir, spec, host); err != nil {
		// Whoever started the node reads it there.
		_ = writeJSON(filepath.Join(dir, stateFile), State{Problem: err.Error()})
		return err
	}
	newSupervisor(Dir, spec.Components).run(ctx)
	return nil
}

func prepare(ctx context.Context, dir string, spec Spec, host *os.File) error {
	// Before /sys or /proc change: this is about the host's view of the process.
	group, err := cgroup.Of(spec.Cgroup)
	if err != nil {
		return err
	}
	if err := group.Join(); err != nil {
		return err
	}
	restoreResolvConf := keepResolvConf()
	if err := arrangeMounts(dir); err != nil {
		return err
	}
	if err := restoreResolvConf(); err != nil {
		return err
	}
	if err := configureNetwork(ctx, spec); err != nil {
		return err
	}
	return servePulls(host)
}
