// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build olm

package olm

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// process is a program that runs beside the tests. One that ends is started
// again, as a pod would be.
type process struct {
	name    string
	stopped context.CancelFunc
	ended   chan struct{}
}

// running are the processes to stop at the end.
var running []*process

// start runs a program of dir/bin, which writes to a log of its own.
func start(name string, env []string, program string, args ...string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(dir, "logs", name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	command := func() *exec.Cmd {
		cmd := exec.CommandContext(ctx, filepath.Join(dir, "bin", program), args...)
		cmd.Env = append(os.Environ(), env...)
		cmd.Stdout, cmd.Stderr = log, log
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = 10 * time.Second
		// It must not outlive the tests, whatever ends them.
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		return cmd
	}
	p := &process{name: name, stopped: stop, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		defer log.Close() //nolint:errcheck // Nobody writes any more.
		// The signal comes when the thread ends that has started the process.
		runtime.LockOSThread()
		for ctx.Err() == nil {
			fmt.Fprintf(log, "%s ends: %v\n", name, command().Run())
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}()
	running = append(running, p)
	return p, nil
}

// listens waits until something listens at an address of the node.
func (p *process) listens(address string) error {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if connection, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			return connection.Close()
		}
	}
	return fmt.Errorf("%s does not listen at %s, see its log in %s", p.name, address, filepath.Join(dir, "logs"))
}

// stop ends it, and waits until it has.
func (p *process) stop() {
	p.stopped()
	<-p.ended
}

func stopAll() {
	for _, p := range running {
		p.stop()
	}
}
