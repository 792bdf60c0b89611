// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
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

// operator is the manager as it is shipped, as a process of its own.
type operator struct {
	command *exec.Cmd
	// started is when its process was started.
	started time.Time
	log     string
	exited  chan struct{}
}

// startOperator starts the manager against an API server, with its log in a file in the
// server's folder.
func (s *server) startOperator(manager, name string, arguments ...string) (*operator, error) {
	path := filepath.Join(s.dir, name+".log")
	log, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // The process has its own.
	arguments = append([]string{"--kubeconfig", s.kubeconfig, "--health-probe-bind-address=0"}, arguments...)
	command := exec.Command(manager, arguments...)
	command.Stdout, command.Stderr = log, log
	command.Env = append(os.Environ(), "POD_NAMESPACE="+operatorNamespace, "WATCH_NAMESPACE=")
	o := &operator{command: command, log: path, started: time.Now(), exited: make(chan struct{})}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the operator: %w", err)
	}
	go func() {
		_ = command.Wait()
		close(o.exited)
	}()
	return o, nil
}

// stop asks the operator to end, as a kubelet does, and waits for it.
func (o *operator) stop() error {
	if err := o.command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the operator: %w", err)
	}
	select {
	case <-o.exited:
		return nil
	case <-time.After(30 * time.Second):
		return fmt.Errorf("the operator did not stop within 30 s; its log is %s", o.log)
	}
}

// kill ends an operator that may have ended already.
func (o *operator) kill() {
	_ = o.command.Process.Kill()
	<-o.exited
}

// resident is the memory that the operator holds at present, in bytes.
func (o *operator) resident() (float64, error) {
	out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(o.command.Process.Pid)).Output()
	if err != nil {
		return 0, fmt.Errorf("ask for the operator's memory; its log is %s: %w", o.log, err)
	}
	kilobytes, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return kilobytes * 1024, err
}

// logged waits until the operator's log holds a text.
func (o *operator) logged(ctx context.Context, text string, atMost time.Duration) error {
	for deadline := time.Now().Add(atMost); time.Now().Before(deadline); {
		log, err := os.ReadFile(o.log)
		if err != nil {
			return err
		}
		if bytes.Contains(log, []byte(text)) {
			return nil
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("the operator's log %s did not say %q within %s", o.log, text, atMost)
}
