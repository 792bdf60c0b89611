// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package process runs programs beside tests, and ends them with the tests.
package process

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Folder is where programs come from, and where their logs go.
type Folder struct {
	Bin, Logs string

	running []*Process
}

// Process is a program that runs.
type Process struct {
	name string
	logs string
	cmd  *exec.Cmd
	// ended is closed when the process has ended.
	ended chan struct{}
}

// Start runs a program with env added to the environment, and with its output in the log
// NAME.log.
//
// The program is killed when the thread that called Start ends, so that it never outlives
// the tests: call runtime.LockOSThread first, in TestMain.
func (f *Folder) Start(name string, env []string, program string, args ...string) (*Process, error) {
	log, err := os.OpenFile(filepath.Join(f.Logs, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // The process has its own.
	cmd := exec.Command(filepath.Join(f.Bin, program), args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Process{name: name, logs: f.Logs, cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.ended)
	}()
	f.running = append(f.running, p)
	return p, nil
}

// Listens waits until something listens at an address.
func (p *Process) Listens(address string) error {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended: %s, see its log in %s", p.name, p.cmd.ProcessState, p.logs)
		default:
		}
		if connection, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			return connection.Close()
		}
	}
	return fmt.Errorf("%s does not listen at %s, see its log in %s", p.name, address, p.logs)
}

// Stop ends the program, and waits until it has ended.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// StopAll ends all programs that were started.
func (f *Folder) StopAll() {
	for _, p := range f.running {
		p.Stop()
	}
}
