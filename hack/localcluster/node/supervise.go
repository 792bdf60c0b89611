// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// checkEvery is how often a component that is not ready is asked, and watchEvery one that is.
	checkEvery = 100 * time.Millisecond
	watchEvery = 10 * time.Second
	// backOff is how long a component rests after its first failure, and maxBackOff after many.
	backOff    = 500 * time.Millisecond
	maxBackOff = 10 * time.Second
)

// supervisor starts the components, each when what it needs is ready, restarts
// those that end, and reaps every orphan of the node.
type supervisor struct {
	// dir is the cluster's folder.
	dir        string
	components []Component

	mu    sync.Mutex
	state State
	exits map[int]chan syscall.WaitStatus
}

func newSupervisor(dir string, components []Component) *supervisor {
	s := &supervisor{dir: dir, components: components, exits: map[int]chan syscall.WaitStatus{}}
	for _, component := range components {
		s.state.Components = append(s.state.Components, ComponentState{Name: component.Name, Since: time.Now()})
	}
	return s
}

func (s *supervisor) run(ctx context.Context) {
	s.update(func(*State) {})
	for i := range s.components {
		go s.keep(ctx, i)
	}
	s.reap(ctx)
}

// reap waits for every process that ends, until ctx does. As process 1 it gets
// orphans too, which is why it and not os/exec does the waiting.
func (s *supervisor) reap(ctx context.Context) {
	for ctx.Err() == nil {
		var status syscall.WaitStatus
		s.mu.Lock()
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		exit := s.exits[pid]
		delete(s.exits, pid)
		s.mu.Unlock()
		if exit != nil {
			exit <- status
		}
		if pid > 0 || errors.Is(err, syscall.EINTR) {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(checkEvery):
		}
	}
}

// keep keeps component i running.
func (s *supervisor) keep(ctx context.Context, i int) {
	component, rest := s.components[i], backOff
	if !s.awaitNeeds(ctx, component) {
		return
	}
	for ctx.Err() == nil {
		started := time.Now()
		how := s.once(ctx, i)
		if time.Since(started) > time.Minute {
			rest = backOff
		}
		fmt.Printf("%s %s ended: %s; starting it again in %s\n", time.Now().Format(time.TimeOnly), component.Name, how, rest)
		s.update(func(state *State) {
			of := &state.Components[i]
			of.Ready, of.Since, of.LastExit = false, time.Now(), how
			of.Restarts++
		})
		select {
		case <-ctx.Done():
		case <-time.After(rest):
		}
		rest = min(2*rest, maxBackOff)
	}
}

// awaitNeeds waits for everything that component needs, and reports whether all of it is
// ready.
func (s *supervisor) awaitNeeds(ctx context.Context, component Component) bool {
	for !s.ready(component.Needs) {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(checkEvery):
		}
	}
	return true
}

func (s *supervisor) ready(names []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, component := range s.state.Components {
		if slices.Contains(names, component.Name) && !component.Ready {
			return false
		}
	}
	return true
}

// once runs component i until it ends, and says how.
func (s *supervisor) once(ctx context.Context, i int) string {
	component := s.components[i]
	exit, err := s.start(component)
	if err != nil {
		return err.Error()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go s.check(ctx, i)
	status := <-exit
	if status.Signaled() {
		return unix.SignalName(status.Signal())
	}
	return fmt.Sprintf("exit code %d", status.ExitStatus())
}

func (s *supervisor) start(component Component) (<-chan syscall.WaitStatus, error) {
	log, err := os.OpenFile(filepath.Join(s.dir, LogDir, component.Name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // The child has it.
	// Locked, so that it is not reaped before it is known.
	s.mu.Lock()
	defer s.mu.Unlock()
	process, err := os.StartProcess(component.Path, append([]string{component.Path}, component.Args...), &os.ProcAttr{
		Dir:   "/",
		Env:   append(os.Environ(), component.Env...),
		Files: []*os.File{nil, log, log},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, err
	}
	exit := make(chan syscall.WaitStatus, 1)
	s.exits[process.Pid] = exit
	return exit, process.Release()
}

// check follows whether component i is ready, as long as it runs.
func (s *supervisor) check(ctx context.Context, i int) {
	for was := false; ctx.Err() == nil; {
		is := s.components[i].Ready.passes(ctx)
		if is != was && ctx.Err() == nil {
			s.update(func(state *State) {
				state.Components[i].Ready, state.Components[i].Since = is, time.Now()
			})
			was = is
		}
		pause := checkEvery
		if is {
			pause = watchEvery
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// probe trusts every certificate: it only asks whether somebody answers, on
// the node's own addresses.
var probe = &http.Client{
	Timeout:   5 * time.Second,
	Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
}

func (c Check) passes(ctx context.Context) bool {
	if c.Socket != "" {
		conn, err := net.DialTimeout("unix", c.Socket, time.Second)
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, http.NoBody)
	if err != nil {
		return false
	}
	response, err := probe.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// update changes the state and writes it down for the host.
func (s *supervisor) update(change func(*State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.state)
	if err := writeJSON(filepath.Join(s.dir, stateFile), s.state); err != nil {
		fmt.Println("write the state:", err)
	}
}
