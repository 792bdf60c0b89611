// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Dial connects from inside the node's network, as a process there would.
func (p Process) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	ns, err := p.network()
	if err != nil {
		return nil, err
	}
	defer ns.Close() //nolint:errcheck // It was only read.
	return dialIn(ctx, ns, network, address)
}

// Exec runs a command inside the node's network, with the host's files.
func (p Process) Exec(ctx context.Context, command []string) error {
	ns, err := p.network()
	if err != nil {
		return err
	}
	defer ns.Close() //nolint:errcheck // It was only read.
	return within(ns, func() error {
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		return cmd.Run()
	})
}

func (p Process) network() (*os.File, error) {
	return os.Open(fmt.Sprintf("/proc/%d/ns/net", p.PID))
}

// dialIn connects from inside the network ns.
func dialIn(ctx context.Context, ns *os.File, network, address string) (net.Conn, error) {
	var conn net.Conn
	err := within(ns, func() (err error) {
		var dialer net.Dialer
		conn, err = dialer.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// within runs do on a thread of its own in the network ns.
func within(ns *os.File, do func() error) error {
	done := make(chan error, 1)
	go func() {
		// The thread is never unlocked, so it ends with this goroutine and nothing else runs on it.
		runtime.LockOSThread()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter the network: %w", err)
			return
		}
		done <- do()
	}()
	return <-done
}
