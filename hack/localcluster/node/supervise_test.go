// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAComponentStartsWhenWhatItNeedsIsReady(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "first.sock")
	supervise(t, dir,
		shell("first", "exec sleep 1000", socket),
		shell("second", "exec sleep 1000", filepath.Join(dir, "never.sock"), "first"),
	)
	time.Sleep(5 * checkEvery)
	assert.NoFileExists(t, filepath.Join(dir, LogDir, "second.log"))

	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, listener.Close()) })
	assert.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(dir, LogDir, "second.log"))
		return err == nil
	}, 10*time.Second, checkEvery)
	state, err := ReadState(dir)
	require.NoError(t, err)
	assert.True(t, state.Components[0].Ready)
	assert.False(t, state.Components[1].Ready)
}

func TestAComponentThatEndsIsStartedAgain(t *testing.T) {
	dir := t.TempDir()
	supervise(t, dir, shell("flaky", "echo again; exit 3", filepath.Join(dir, "never.sock")))
	assert.Eventually(t, func() bool {
		state, err := ReadState(dir)
		return err == nil && state.Components[0].Restarts >= 2
	}, 10*time.Second, checkEvery)
	state, err := ReadState(dir)
	require.NoError(t, err)
	assert.Equal(t, "exit code 3", state.Components[0].LastExit)
	log, err := os.ReadFile(filepath.Join(dir, LogDir, "flaky.log"))
	require.NoError(t, err)
	assert.Greater(t, strings.Count(string(log), "again"), 1)
}

func TestAComponentThatCannotStartSaysWhy(t *testing.T) {
	dir := t.TempDir()
	supervise(t, dir, Component{Name: "absent", Path: "/nowhere/absent", Ready: Check{Socket: "/nowhere"}})
	assert.Eventually(t, func() bool {
		state, err := ReadState(dir)
		return err == nil && state.Components[0].Restarts > 0
	}, 10*time.Second, checkEvery)
	state, err := ReadState(dir)
	require.NoError(t, err)
	assert.Contains(t, state.Components[0].LastExit, "no such file or directory")
}

func TestAProcessIsKnownFromALaterOneWithItsNumber(t *testing.T) {
	self, err := identify(os.Getpid())
	require.NoError(t, err)
	assert.True(t, self.Alive())

	earlier := self
	earlier.Started--
	assert.False(t, earlier.Alive())
	lastBoot := self
	lastBoot.Boot = "00000000-0000-0000-0000-000000000000"
	assert.False(t, lastBoot.Alive())
	assert.False(t, Process{}.Alive())
}

// supervise runs components until the test ends.
func supervise(t *testing.T, dir string, components ...Component) {
	t.Helper()
	require.NoError(t, os.Mkdir(filepath.Join(dir, LogDir), 0o755))
	ctx, cancel := context.WithCancel(t.Context())
	s := newSupervisor(dir, components)
	done := make(chan struct{})
	go func() { defer close(done); s.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		s.mu.Lock()
		defer s.mu.Unlock()
		for pid := range s.exits {
			process, err := os.FindProcess(pid)
			require.NoError(t, err)
			assert.NoError(t, process.Kill())
			_, _ = process.Wait()
		}
	})
}

func shell(name, script, socket string, needs ...string) Component {
	return Component{
		Name: name, Path: "/bin/sh", Args: []string{"-c", script}, Needs: needs, Ready: Check{Socket: socket},
	}
}
