// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process names the process that is a node. A number alone would do until the
// kernel gives it to another process.
type Process struct {
	PID int `json:"pid"`
	// Started is in clock ticks after the boot.
	Started uint64 `json:"started"`
	Boot    string `json:"boot"`
}

// Start starts the node of the cluster in dir. The node goes on when the caller ends.
func Start(dir string) (Process, error) {
	log, err := os.OpenFile(filepath.Join(dir, LogDir, "node.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return Process{}, err
	}
	defer log.Close() //nolint:errcheck // The child has it.
	cmd := exec.Command(filepath.Join(dir, Binary), "node", dir)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	network, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return Process{}, err
	}
	defer network.Close() //nolint:errcheck // The child has it.
	cmd.ExtraFiles = []*os.File{network}
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID,
		Setsid:     true,
	}
	if err := cmd.Start(); err != nil {
		return Process{}, fmt.Errorf("start the node in namespaces of its own: %w", err)
	}
	// The wait only keeps the process from staying as a zombie. Alive asks the kernel
	// whether the process has ended.
	go func() { _ = cmd.Wait() }()
	return identify(cmd.Process.Pid)
}

// environment is what components get: the host's certificates and proxies may
// be in it, its user's session is not.
func environment() []string {
	env := []string{"PATH=" + Dir + "/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// Alive reports whether the process exists.
func (p Process) Alive() bool {
	if p.PID <= 0 {
		return false
	}
	now, err := identify(p.PID)
	return err == nil && now == p
}

// Kill ends the node and everything in it, and returns when it is gone.
func (p Process) Kill(ctx context.Context) error {
	if !p.Alive() {
		return nil
	}
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil && p.Alive() {
		return fmt.Errorf("kill the node (process %d): %w", p.PID, err)
	}
	for p.Alive() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the node (process %d) to end: %w", p.PID, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// identify reads what tells a process from a later one with its number. A
// zombie counts as gone: the kernel has ended all that ran below it.
func identify(pid int) (Process, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Process{}, err
	}
	// The name, in brackets, may hold anything; what follows it is numbers.
	_, rest, found := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 20 {
		return Process{}, fmt.Errorf("process %d: cannot read its state", pid)
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return Process{}, os.ErrProcessDone
	}
	started, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return Process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Process{}, err
	}
	return Process{PID: pid, Started: started, Boot: strings.TrimSpace(string(boot))}, nil
}
