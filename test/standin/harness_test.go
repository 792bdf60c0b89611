// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/standin/host"
	"github.com/xflops/flame-operator/test/standin/pace"
)

// realFlame names the folder of Flame's own binaries: with it, every test that
// starts a cluster starts Flame instead, at its own pace, and what holds for one
// has to hold for the other.
const realFlame = "FLAME_BIN_DIR"

// scale is how much faster than Flame the stand-in is in these tests.
const scale = 0.1

// TestMain plays the stand-in's roles when it is called by one of their names.
func TestMain(m *testing.M) {
	if known(filepath.Base(os.Args[0])) {
		main()
		return
	}
	os.Exit(m.Run())
}

func isReal() bool { return os.Getenv(realFlame) != "" }

// lasts returns how long one of Flame's constants is in this run.
func lasts(constant time.Duration) time.Duration {
	if isReal() {
		return constant
	}
	return time.Duration(float64(constant) * scale)
}

// cluster is one session manager's world: its home, its state, its port.
type cluster struct {
	t        *testing.T
	dir      string
	home     string
	sockets  string
	port     int
	config   string
	environ  []string
	frontend flamev1.FrontendClient
	backend  flamev1.BackendClient
}

// newCluster writes a configuration. Extra lines go into its cluster block; one
// that starts with a key of the defaults replaces it. One executor fills a node.
func newCluster(t *testing.T, extra ...string) *cluster {
	t.Helper()
	t.Parallel()
	c := &cluster{t: t, dir: t.TempDir()}
	c.home, c.config = filepath.Join(c.dir, "home"), filepath.Join(c.dir, "flame-cluster.yaml")
	require.NoError(t, os.MkdirAll(filepath.Join(c.home, "bin"), 0o755))
	for _, name := range []string{"flame-session-manager", "flame-executor-manager", "flame-object-cache", "flmping-service"} {
		target, err := os.Executable()
		require.NoError(t, err)
		if isReal() {
			target = filepath.Join(os.Getenv(realFlame), name)
		}
		require.NoError(t, os.Symlink(target, filepath.Join(c.home, "bin", name)))
	}
	var err error
	c.sockets, err = os.MkdirTemp("", "flame") //nolint:usetesting // A socket's path must be short, and the test's own folder is not.
	require.NoError(t, err)
	t.Cleanup(func() {
		c.endInstances()
		_ = os.RemoveAll(c.sockets)
	})
	c.port = freePorts(t)
	lines := []string{
		"name: test",
		fmt.Sprintf("endpoint: http://127.0.0.1:%d", c.port),
		fmt.Sprintf("resreq: cpu=%d,mem=1m", runtime.NumCPU()),
		"policies: [priority, drf, gang]",
		"storage: fs://" + filepath.Join(c.dir, "state"),
		"executors: {shim: host, limits: {max_executors: 0}}",
		"unknown: {key: 1}",
	}
	for _, line := range extra {
		key, _, _ := strings.Cut(line, ":")
		for i := range lines {
			if strings.HasPrefix(lines[i], key+":") {
				lines[i] = ""
			}
		}
		lines = append(lines, line)
	}
	c.write("cluster:\n  " + strings.Join(lines, "\n  ") + "\n")
	connect := func(port int) *grpc.ClientConn {
		connection, err := grpc.NewClient(fmt.Sprintf("passthrough:///127.0.0.1:%d", port),
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
		require.NoError(t, err)
		t.Cleanup(func() { _ = connection.Close() })
		return connection
	}
	c.frontend = flamev1.NewFrontendClient(connect(c.port))
	c.backend = flamev1.NewBackendClient(connect(c.port + 1))
	return c
}

// endInstances ends the instances whose executor manager was killed. In a pod
// they would end with it.
func (c *cluster) endInstances() {
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(c.t, err)
	for _, path := range environments {
		environment, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(environment, []byte("FLAME_SOCKET_DIR="+c.sockets+"/")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func (c *cluster) write(text string) {
	c.t.Helper()
	require.NoError(c.t, os.WriteFile(c.config, []byte(text), 0o644))
}

// freePorts finds two ports that follow one another, below those that the kernel
// gives to connections.
func freePorts(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 20000 + 2*rand.IntN(6000)
		first, err := net.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", port))
		if err != nil {
			continue
		}
		second, err := net.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", port+1))
		_ = first.Close()
		if err == nil {
			_ = second.Close()
			return port
		}
	}
	t.Fatal("no two free ports")
	return 0
}

// process is a running component.
type process struct {
	*exec.Cmd
	t      *testing.T
	output *output
	ended  chan struct{}
	err    error
}

// output collects what a process prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start runs a component on a host of the given name, in a folder of its own.
func (c *cluster) start(name, hostname string, arguments ...string) *process {
	c.t.Helper()
	dir := filepath.Join(c.dir, hostname)
	path := c.path(name, hostname)
	require.NoError(c.t, os.MkdirAll(dir, 0o755))
	if err := os.Symlink(filepath.Join(c.home, "bin", name), path); !errors.Is(err, os.ErrExist) {
		require.NoError(c.t, err)
	}
	if len(arguments) == 0 {
		arguments = []string{"--config", c.config}
	}
	arguments = append([]string{path}, arguments...)
	if os.Geteuid() == 0 {
		// In a pod not even root may write where the permissions say no.
		arguments = append([]string{"setpriv", "--inh-caps=-all", "--bounding-set=-all", "--"}, arguments...)
	}
	if isReal() {
		arguments = append([]string{"unshare", "--uts", "sh", "-c", "hostname " + hostname + `; exec "$@"`, "sh"}, arguments...)
	}
	command := exec.Command(arguments[0], arguments[1:]...)
	command.Dir = dir
	command.Env = append(os.Environ(),
		"FLAME_HOME="+c.home, "FLAME_SOCKET_DIR="+c.socketsOf(hostname),
		"RUST_LOG=info,flame_session_manager::scheduler::plugins=warn",
		host.Variable+"="+hostname, fmt.Sprintf("%s=%g", pace.Variable, scale))
	command.Env = append(command.Env, c.environ...)
	p := &process{Cmd: command, t: c.t, output: &output{}, ended: make(chan struct{})}
	command.Stdout, command.Stderr = p.output, p.output
	command.WaitDelay = time.Second
	require.NoError(c.t, command.Start())
	go func() {
		p.err = command.Wait()
		close(p.ended)
	}()
	c.t.Cleanup(func() {
		p.kill()
		if c.t.Failed() {
			c.t.Logf("%s on %s printed:\n%s", name, hostname, tail(p.output.String()))
		}
	})
	return p
}

// path is what a component on a host is called by, so that a process tells whose it is.
func (c *cluster) path(name, hostname string) string { return filepath.Join(c.dir, hostname, name) }

// socketsOf is where the instances on a host have their sockets.
func (c *cluster) socketsOf(hostname string) string { return filepath.Join(c.sockets, hostname) }

func tail(text string) string { return text[max(0, len(text)-3000):] }

// sessionManager starts one and waits until both its ports answer.
func (c *cluster) sessionManager() *process {
	c.t.Helper()
	p := c.start("flame-session-manager", "session-manager")
	for _, port := range []int{c.port, c.port + 1} {
		c.eventually(10*time.Second, "the session manager listens", func() bool {
			connection, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
			if err == nil {
				_ = connection.Close()
			}
			return err == nil
		})
	}
	c.eventually(10*time.Second, "the applications are registered", func() bool { return len(c.applications()) == 3 })
	return p
}

// executorManager starts one and waits until its node is Ready.
func (c *cluster) executorManager(hostname string) *process {
	c.t.Helper()
	p := c.start("flame-executor-manager", hostname)
	c.eventually(10*time.Second, hostname+" is Ready", func() bool { return c.node(hostname) == "READY" })
	return p
}

func (p *process) kill() {
	_ = p.Process.Kill()
	<-p.ended
}

// exit waits for the process to end by itself and returns its exit code.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(15 * time.Second):
		p.t.Fatalf("%s goes on", p.Path)
	}
	var failure *exec.ExitError
	if errors.As(p.err, &failure) {
		return failure.ExitCode()
	}
	return 0
}

func (c *cluster) eventually(within time.Duration, what string, done func() bool) {
	c.t.Helper()
	start := time.Now()
	for !done() {
		if time.Since(start) > within {
			c.t.Fatalf("not within %s: %s", within, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
	c.t.Logf("after %5.1f s of Flame's time: %s", time.Since(start).Seconds()*float64(30*time.Second)/float64(lasts(30*time.Second)), what)
}

// never fails if something happens within a while.
func (c *cluster) never(during time.Duration, what string, happens func() bool) {
	c.t.Helper()
	for start := time.Now(); time.Since(start) < during; time.Sleep(20 * time.Millisecond) {
		if happens() {
			c.t.Fatalf("it happened: %s", what)
		}
	}
	c.t.Logf("never: %s", what)
}
