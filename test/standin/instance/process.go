// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

// Process is an instance as its executor manager holds it. It ends when nobody holds it
// any longer.
type Process struct {
	holders    atomic.Int32
	command    *exec.Cmd
	socket     string
	workDir    string
	temporary  bool
	connection net.Conn
	calls      *json.Encoder
	answers    *json.Decoder
}

// Start makes an executor's directories, starts the application's command in a
// process group of its own, and waits for its socket, without any limit, even
// if the process has long ended.
func Start(executorID string, app *flamev1.Application, environment map[string]string) (*Process, error) {
	p := &Process{}
	p.Hold()
	if err := p.prepare(executorID, app); err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, e := range app.GetSpec().GetEnvironments() {
		values[e.GetName()] = os.ExpandEnv(e.GetValue())
	}
	for name, value := range environment {
		values[name] = value
	}
	values[SocketVariable] = p.socket
	values["TMPDIR"] = filepath.Join(p.workDir, "work", app.GetMetadata().GetName(), "tmp")
	// Flame connects to an instance that it kept, if there is one.
	_ = os.Remove(p.socket)
	if err := p.spawn(executorID, app.GetSpec(), values); err != nil {
		p.Stop()
		return nil, err
	}
	for {
		if _, err := os.Stat(p.socket); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	connection, err := p.dial()
	if err != nil {
		p.Stop()
		return nil, fmt.Errorf("connect to instance: %w", err)
	}
	p.connection, p.calls, p.answers = connection, json.NewEncoder(connection), json.NewDecoder(connection)
	return p, nil
}

// dial connects to the socket. There is a moment in which it exists and nobody
// listens on it yet.
func (p *Process) dial() (net.Conn, error) {
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		connection, err := net.Dial("unix", p.socket)
		if !errors.Is(err, syscall.ECONNREFUSED) || time.Since(start) > time.Second {
			return connection, err
		}
	}
}

func (p *Process) prepare(executorID string, app *flamev1.Application) error {
	p.workDir = app.GetSpec().GetWorkingDirectory()
	if p.workDir == "" {
		dir, err := os.Getwd()
		if err != nil {
			return fmt.Errorf("get working directory: %w", err)
		}
		p.workDir, p.temporary = filepath.Join(dir, executorID), true
	}
	sockets := os.Getenv("FLAME_SOCKET_DIR")
	if sockets == "" {
		sockets = "/var/flame/executors"
	}
	p.socket = filepath.Join(sockets, executorID+".sock")
	for _, dir := range []string{filepath.Join(p.workDir, "work", app.GetMetadata().GetName(), "tmp"), sockets} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("create executor directory: %w", err)
		}
	}
	return nil
}

func (p *Process) spawn(executorID string, spec *flamev1.ApplicationSpec, values map[string]string) error {
	expand := func(text string) string {
		return os.Expand(text, func(name string) string {
			if value, found := values[name]; found {
				return value
			}
			return os.Getenv(name)
		})
	}
	arguments := make([]string, 0, len(spec.GetArguments()))
	for _, argument := range spec.GetArguments() {
		arguments = append(arguments, expand(argument))
	}
	stdout, err := os.Create(filepath.Join(p.workDir, executorID+".out"))
	if err != nil {
		return fmt.Errorf("open stdout log file: %w", err)
	}
	defer func() { _ = stdout.Close() }()
	stderr, err := os.Create(filepath.Join(p.workDir, executorID+".err"))
	if err != nil {
		return fmt.Errorf("open stderr log file: %w", err)
	}
	defer func() { _ = stderr.Close() }()
	command := exec.Command(expand(spec.GetCommand()), arguments...)
	command.Dir, command.Stdout, command.Stderr = p.workDir, stdout, stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Env = os.Environ()
	for name, value := range values {
		command.Env = append(command.Env, name+"="+value)
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start service by command <%s>: %w", command.Path, err)
	}
	p.command = command
	go func() { _ = command.Wait() }()
	return nil
}

// Invoke runs a task and waits for its end.
func (p *Process) Invoke(call Call) (*Answer, error) {
	if err := p.calls.Encode(call); err != nil {
		return nil, fmt.Errorf("send task to instance: %w", err)
	}
	var answer Answer
	if err := p.answers.Decode(&answer); err != nil {
		return nil, fmt.Errorf("read result from instance: %w", err)
	}
	return &answer, nil
}

// Alive reports whether whoever listens on the socket still holds that end, which may be
// an instance before this one.
func (p *Process) Alive() bool {
	raw, err := p.connection.(*net.UnixConn).SyscallConn()
	if err != nil {
		return false
	}
	alive := false
	err = raw.Control(func(fd uintptr) {
		_, _, peek := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		alive = errors.Is(peek, syscall.EAGAIN)
	})
	return err == nil && alive
}

// Hold keeps the instance until Stop is called once more.
func (p *Process) Hold() { p.holders.Add(1) }

// Stop asks the instance's process group to end, and nothing harder, and removes
// what it wrote, unless somebody else still holds the instance.
func (p *Process) Stop() {
	if p.holders.Add(-1) > 0 {
		return
	}
	if p.connection != nil {
		_ = p.connection.Close()
	}
	if p.command != nil {
		_ = syscall.Kill(-p.command.Process.Pid, syscall.SIGTERM)
	}
	_ = os.Remove(p.socket)
	if p.temporary {
		_ = os.RemoveAll(p.workDir)
	}
}
