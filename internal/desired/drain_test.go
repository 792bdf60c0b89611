// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/xflops/flame-operator/test/clusters"
)

const (
	// halt is how long the script halts a manager that is busy.
	halt = 7 * time.Second
	// soon is long enough for the script to act, or to show that it does not.
	soon = 300 * time.Millisecond
)

// TestDrain runs the script of a rendered pod under bash, with processes and
// sockets as Flame has them: the manager is a process by that name, an instance
// listens on a socket, and the manager of a bound executor is connected to it.
func TestDrain(t *testing.T) {
	for name, test := range map[string]func(*drain){
		"idle: it is killed at once": func(d *drain) {
			d.start()
			d.endsIts("killed")
		},
		"never bound anything: it is killed at once": func(d *drain) {
			require.NoError(d.t, os.Remove(d.sockets))
			d.start()
			d.endsIts("killed")
		},
		"an instance that nobody is connected to is no reason to wait": func(d *drain) {
			d.instance("a")
			d.start()
			d.endsIts("killed")
		},
		"it is waited for as long as it has an instance": func(d *drain) {
			leave := d.bound("a")
			d.start()
			d.goesOn()
			d.waits()
			leave()
			d.endsIts("killed")
		},
		"busy: it is halted first, for as long as Flame bears, and then goes on": func(d *drain) {
			leave := d.bound("a")
			began := time.Now()
			d.start()
			d.goesOn()
			assert.GreaterOrEqual(d.t, time.Since(began), halt)
			d.waits()
			leave()
			d.endsIts("killed")
		},
		"an instance that has not accepted yet is no reason to wait": func(d *drain) {
			d.instance("a")
			d.connect("a")
			d.start()
			d.endsIts("killed")
		},
		"one of two instances ends: it waits for the other": func(d *drain) {
			first, second := d.bound("a"), d.bound("b")
			d.start()
			d.waits()
			first()
			d.goesOn()
			d.waits()
			second()
			d.endsIts("killed")
		},
		"an instance takes over from another at once: it waits for that": func(d *drain) {
			first := d.bound("a")
			d.start()
			d.waits()
			d.goesOn()
			second := d.bound("b")
			first()
			d.waits()
			second()
			d.endsIts("killed")
		},
		"no instance that starts later gets a socket": func(d *drain) {
			leave := d.bound("a")
			d.start()
			d.waits()
			info, err := os.Stat(d.sockets)
			require.NoError(d.t, err)
			assert.Equal(d.t, os.FileMode(0o555), info.Mode().Perm())
			left, err := os.ReadDir(d.sockets)
			require.NoError(d.t, err)
			assert.Empty(d.t, left, "sockets that Flame would try to connect to")
			if os.Geteuid() != 0 {
				_, err = net.Listen("unix", filepath.Join(d.sockets, "b"))
				require.ErrorIs(d.t, err, os.ErrPermission)
			}
			leave()
			d.endsIts("killed")
		},
		"an instance that outlives its executor is no reason to wait": func(d *drain) {
			leave := d.bound("a")
			d.bound("b")
			d.logs("Executor <b> is released, exit.")
			d.start()
			d.goesOn()
			d.waits()
			leave()
			d.endsIts("killed")
		},
		"an executor is released and keeps its instance: it is killed": func(d *drain) {
			d.bound("a")
			d.logs("Executor <b> is released, exit.")
			d.start()
			d.goesOn()
			d.waits()
			d.logs("Executor <a> is released, exit.")
			d.endsIts("killed")
		},
		"run twice, it does the same": func(d *drain) {
			leave := d.bound("a")
			d.start()
			d.waits()
			require.NoError(d.t, d.script.Process.Kill())
			require.Error(d.t, <-d.ended)
			d.start()
			d.waits()
			leave()
			d.endsIts("killed")
		},
		"another pod's instances are no reason to wait": func(d *drain) {
			other := &drain{t: d.t, sockets: d.t.TempDir()}
			other.bound("a")
			d.start()
			d.endsIts("killed")
		},
		"cut off from the session manager from the start, for long: it is killed, busy or not": func(d *drain) {
			d.bound("a")
			d.link.close()
			d.start()
			d.goesOn()
			d.endsIts("killed")
		},
		"cut off when it starts, it connects again: it is waited for": func(d *drain) {
			leave := d.bound("a")
			d.link.close()
			d.start()
			d.connectBackend()
			d.goesOn()
			d.waits()
			leave()
			d.endsIts("killed")
		},
		"its connection goes, and it connects again at once: it is killed, busy or not": func(d *drain) {
			d.bound("a")
			d.start()
			d.goesOn()
			d.waits()
			d.link.close()
			d.connectBackend()
			d.endsIts("killed")
		},
		"one of two connections goes: it is waited for": func(d *drain) {
			leave := d.bound("a")
			d.connectBackend()
			d.start()
			d.goesOn()
			d.waits()
			d.link.close()
			d.waits()
			leave()
			d.endsIts("killed")
		},
		"its connection goes while it is halted: it never goes on": func(d *drain) {
			d.bound("a")
			d.start()
			require.Eventually(d.t, d.halted, halt, 5*time.Millisecond)
			d.link.close()
			d.connectBackend()
			require.Never(d.t, d.waiting, halt+soon, time.Millisecond, "it might ask for a task")
			d.endsIts("killed")
		},
		"its connection stays open, but nobody confirms what it sends: it is killed, busy or not": func(d *drain) {
			d.bound("a")
			d.start()
			d.goesOn()
			d.waits()
			d.swallow()
			d.endsIts("killed")
		},
		"an admin ends it: it is killed, busy or not": func(d *drain) {
			d.bound("a")
			d.start()
			d.goesOn()
			d.waits()
			require.NoError(d.t, os.WriteFile(filepath.Join(d.sockets+".left", "end"), nil, 0o600))
			d.endsIts("killed")
		},
		"it ends by itself meanwhile": func(d *drain) {
			d.bound("a")
			d.start()
			d.waits()
			require.NoError(d.t, d.manager.Process.Signal(syscall.SIGTERM))
			d.endsIts("terminated")
		},
		"it has ended before": func(d *drain) {
			d.bound("a")
			require.NoError(d.t, d.manager.Process.Signal(syscall.SIGTERM))
			assert.ErrorContains(d.t, d.manager.Wait(), "terminated")
			d.start()
			d.ends()
		},
		"a zombie is not it": func(d *drain) {
			d.bound("a")
			require.NoError(d.t, d.manager.Process.Signal(syscall.SIGTERM))
			d.start()
			d.ends()
			assert.ErrorContains(d.t, d.manager.Wait(), "terminated")
		},
		"who only names it is left alone": func(d *drain) {
			other := exec.Command("/bin/bash", "-c", "read", d.path)
			d.run(other)
			d.start()
			d.endsIts("killed")
			assert.NoError(d.t, other.Process.Signal(syscall.Signal(0)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newDrain(t))
		})
	}
}

type drain struct {
	t       *testing.T
	port    string
	backend net.Listener
	link    link
	path    string
	sockets string
	home    string
	manager *exec.Cmd
	script  *exec.Cmd
	ended   chan error
}

func newDrain(t *testing.T) *drain {
	dir, err := os.MkdirTemp("", "drain") //nolint:usetesting // A socket's path must be short, and the test's own folder is not.
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &drain{t: t, path: filepath.Join(dir, "flame-executor-manager"), sockets: filepath.Join(dir, "executors"), home: dir}
	require.NoError(t, os.Mkdir(d.sockets, 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "logs"), 0o755))
	d.sessionManager()
	d.manager = exec.Command("/bin/bash", "-c", "read", "--config", "some.yaml")
	d.manager.Args[0] = d.path
	d.run(d.manager)
	return d
}

// sessionManager listens, and makes the connection that an executor manager keeps.
func (d *drain) sessionManager() {
	d.t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(d.t, err)
	d.t.Cleanup(func() { _ = listener.Close() })
	d.backend, d.port = listener, fmt.Sprintf("%04X", listener.Addr().(*net.TCPAddr).Port)
	d.link = d.connectBackend()
}

// link is a connection to the session manager, seen from its two ends.
type link struct{ ours, theirs *net.TCPConn }

func (l link) close() {
	_ = l.theirs.Close()
	_ = l.ours.Close()
}

func (d *drain) connectBackend() link {
	d.t.Helper()
	ours, err := net.Dial("tcp4", d.backend.Addr().String())
	require.NoError(d.t, err)
	theirs, err := d.backend.Accept()
	require.NoError(d.t, err)
	made := link{ours: ours.(*net.TCPConn), theirs: theirs.(*net.TCPConn)}
	d.t.Cleanup(made.close)
	return made
}

// swallow has packets to the session manager vanish, and one that needs an answer sent.
func (d *drain) swallow() {
	d.t.Helper()
	swallowAll(d.t, d.link.theirs)
	_, err := d.link.ours.Write([]byte("heartbeat"))
	require.NoError(d.t, err)
}

// swallowAll has the kernel drop whatever reaches a connection from now on.
func swallowAll(t *testing.T, connection *net.TCPConn) {
	t.Helper()
	raw, err := connection.SyscallConn()
	require.NoError(t, err)
	nothing := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	var attached error
	require.NoError(t, raw.Control(func(fd uintptr) {
		attached = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing})
	}))
	require.NoError(t, attached)
}

// run starts a process that reads input that never comes.
func (d *drain) run(command *exec.Cmd) {
	d.t.Helper()
	_, err := command.StdinPipe()
	require.NoError(d.t, err)
	require.NoError(d.t, command.Start())
	d.t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
}

// start runs the script as a pod has it, but for another manager and other sockets.
func (d *drain) start() {
	d.t.Helper()
	objects, err := Build(clusters.Parse(d.t, clusters.Minimal), Inputs{})
	require.NoError(d.t, err)
	container := objects.ExecutorManager.Spec.Containers[0]
	command := container.Lifecycle.PreStop.Exec.Command
	own := len(command) - 3
	require.Equal(d.t, []string{container.Command[0], "1F91", "30"}, command[own:], "the process, the port 8081, the patience")
	d.script = exec.Command(command[0], append(command[1:own:own], d.path, d.port, "1")...)
	d.script.Env = append(os.Environ(), "FLAME_SOCKET_DIR="+d.sockets, "FLAME_HOME="+d.home)
	var output strings.Builder
	d.script.Stdout, d.script.Stderr = &output, &output
	require.NoError(d.t, d.script.Start())
	d.ended = make(chan error, 1)
	go func() { d.ended <- d.script.Wait() }()
	d.t.Cleanup(func() {
		_ = d.script.Process.Kill()
		if d.t.Failed() {
			d.t.Logf("the script printed:\n%s", output.String())
		}
	})
}

// ends waits for the script's end.
func (d *drain) ends() {
	d.t.Helper()
	select {
	case err := <-d.ended:
		assert.NoError(d.t, err)
	case <-time.After(10 * time.Second):
		d.t.Fatal("the script goes on")
	}
}

// endsIts waits for the script's end and for the manager's end, which must have come
// about as given.
func (d *drain) endsIts(how string) {
	d.t.Helper()
	d.ends()
	assert.ErrorContains(d.t, d.manager.Wait(), how)
}

// waits fails if the script ends soon.
func (d *drain) waits() {
	d.t.Helper()
	select {
	case err := <-d.ended:
		d.t.Fatalf("the script has ended: %v", err)
	case <-time.After(soon):
	}
}

// goesOn waits until the manager has been halted and goes on.
func (d *drain) goesOn() {
	d.t.Helper()
	require.Eventually(d.t, d.halted, halt, 5*time.Millisecond)
	require.Eventually(d.t, func() bool { return !d.halted() }, 2*halt, 5*time.Millisecond)
}

// halted reports whether the manager is stopped, and waiting whether it goes on, which it
// spends with waiting for input. While it dies it is neither.
func (d *drain) halted() bool  { return d.state() == "T" }
func (d *drain) waiting() bool { return d.state() == "S" }

// state returns the letter that the kernel has for the manager's state.
func (d *drain) state() string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.manager.Process.Pid))
	require.NoError(d.t, err)
	_, rest, _ := strings.Cut(string(stat), ") ")
	state, _, _ := strings.Cut(rest, " ")
	return state
}

// instance listens on a socket and accepts nobody.
func (d *drain) instance(name string) net.Listener {
	d.t.Helper()
	listener, err := net.Listen("unix", filepath.Join(d.sockets, name+".sock"))
	require.NoError(d.t, err)
	d.t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// connect opens a manager's end of a connection, and returns a function that closes it.
func (d *drain) connect(name string) func() {
	d.t.Helper()
	connection, err := net.Dial("unix", filepath.Join(d.sockets, name+".sock"))
	require.NoError(d.t, err)
	d.t.Cleanup(func() { _ = connection.Close() })
	return func() { _ = connection.Close() }
}

// logs writes a line into the manager's log.
func (d *drain) logs(line string) {
	d.t.Helper()
	log, err := os.OpenFile(filepath.Join(d.home, "logs", "fem-node.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(d.t, err)
	_, err = fmt.Fprintln(log, "16:50:01.299  INFO flame_executor_manager::executor: "+line)
	require.NoError(d.t, errors.Join(err, log.Close()))
}

// bound makes an executor with an instance, and returns a function that lets the executor
// leave.
func (d *drain) bound(name string) func() {
	d.t.Helper()
	listener := d.instance(name)
	disconnect := d.connect(name)
	connection, err := listener.Accept()
	require.NoError(d.t, err)
	d.t.Cleanup(func() { _ = connection.Close() })
	return func() {
		disconnect()
		_ = connection.Close()
		_ = listener.Close()
	}
}
