// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConfigurationsThatEndEveryComponent(t *testing.T) {
	for name, text := range map[string]string{
		"no cluster":                 "cache: {}",
		"no name":                    "cluster: {endpoint: 'http://127.0.0.1:1'}",
		"no endpoint":                "cluster: {name: x}",
		"keys in capitals":           "cluster: {Name: x, Endpoint: 'http://127.0.0.1:1'}",
		"a name that is a number":    "cluster: {name: 1, endpoint: 'http://127.0.0.1:1'}",
		"half a CPU":                 "cluster: {name: x, endpoint: 'http://127.0.0.1:1', resreq: 'cpu=0.5'}",
		"an empty size":              "cluster: {name: x, endpoint: 'http://127.0.0.1:1', resreq: ''}",
		"a comma too much":           "cluster: {name: x, endpoint: 'http://127.0.0.1:1', resreq: 'cpu=1,'}",
		"an unknown resource":        "cluster: {name: x, endpoint: 'http://127.0.0.1:1', resreq: 'disk=1'}",
		"an unknown unit":            "cluster: {name: x, endpoint: 'http://127.0.0.1:1', resreq: 'mem=1x'}",
		"an unknown shim":            "cluster: {name: x, endpoint: 'http://127.0.0.1:1', executors: {shim: docker}}",
		"TLS without a key":          "cluster: {name: x, endpoint: 'http://127.0.0.1:1', tls: {cert_file: a}}",
		"a cache size without sense": "cluster: {name: x, endpoint: 'http://127.0.0.1:1'}\ncache: {eviction: {max_memory: much}}",
		"no YAML":                    "cluster: [",
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.write(text)
			for _, component := range []string{"flame-session-manager", "flame-executor-manager", "flame-object-cache"} {
				assert.Equal(t, 1, c.start(component, component).exit(), component)
			}
		})
	}
}

func TestNoConfiguration(t *testing.T) {
	c := newCluster(t)
	for _, component := range []string{"flame-session-manager", "flame-executor-manager", "flame-object-cache"} {
		assert.Equal(t, 1, c.start(component, component, "--config", "/does/not/exist").exit(), component)
	}
}

// TestDirectories puts a file where a directory has to be made: unlike missing
// permissions it stops root as well.
func TestDirectories(t *testing.T) {
	for name, test := range map[string]struct {
		component string
		blocked   string
		want      int
	}{
		"the state of the session manager":  {"flame-session-manager", "state", 1},
		"the events of the session manager": {"flame-session-manager", "flame-session-manager/events", 1},
		"logs of the session manager":       {"flame-session-manager", "home/logs", 1},
		"logs of an executor manager":       {"flame-executor-manager", "home/logs", 1},
		"logs of the object cache":          {"flame-object-cache", "home/logs", 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			path := filepath.Join(c.dir, test.blocked)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, nil, 0o644))
			assert.Equal(t, test.want, c.start(test.component, test.component).exit())
		})
	}
}

func TestSocketDirectoryIsNeededToBind(t *testing.T) {
	c := newCluster(t)
	c.sockets = filepath.Join(c.dir, "blocked")
	require.NoError(t, os.WriteFile(c.sockets, nil, 0o644))
	c.sessionManager()
	c.executorManager("node")
	c.createSession("s")
	c.createTasks("s", 1, 0)
	c.never(2*time.Second, "the task runs", func() bool { return c.counts("s") != [4]int32{1, 0, 0, 0} })
}

func TestSQLiteNeedsItsMigrationsInTheWorkingDirectory(t *testing.T) {
	c := newCluster(t, "storage: sqlite://flame.db")
	assert.Equal(t, 1, c.start("flame-session-manager", "session-manager").exit())
}

func TestPortInUseEndsTheSessionManagerWithSuccess(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	require.NoError(t, os.Rename(filepath.Join(c.dir, "state"), filepath.Join(c.dir, "moved")))
	assert.Zero(t, c.start("flame-session-manager", "second").exit())
}

func TestExecutorManagerIsRefused(t *testing.T) {
	c := newCluster(t)
	assert.Equal(t, 1, c.start("flame-executor-manager", "node").exit())
}

// TestExecutorManagerIsSwallowed lets connections wait in a queue that is full,
// so that the kernel drops the packets of the next one.
func TestExecutorManagerIsSwallowed(t *testing.T) {
	c := newCluster(t)
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer func() { _ = syscall.Close(socket) }()
	require.NoError(t, syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	require.NoError(t, syscall.Bind(socket, &syscall.SockaddrInet4{Port: c.port + 1, Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(socket, 0))
	for {
		connection, err := net.DialTimeout("tcp4", fmt.Sprintf("127.0.0.1:%d", c.port+1), 300*time.Millisecond)
		if err != nil {
			break
		}
		defer func() { _ = connection.Close() }()
	}
	p := c.start("flame-executor-manager", "node")
	c.never(5*time.Second, "it gives up", func() bool {
		select {
		case <-p.ended:
			return true
		default:
			return false
		}
	})
}

func TestTermination(t *testing.T) {
	c := newCluster(t)
	p := c.sessionManager()
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.ended:
	case <-time.After(2 * time.Second):
		t.Fatal("it goes on")
	}
	assert.Equal(t, "signal: terminated", p.ProcessState.String())
}

func TestProcessOneIsDeafToTermination(t *testing.T) {
	deafToTermination(1)
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
	time.Sleep(100 * time.Millisecond)
}

func TestObjectCache(t *testing.T) {
	for name, test := range map[string]struct {
		cache string
		fails bool
	}{
		"listens on the interface's address": {cache: "network_interface: '^lo$'"},
		"takes a pattern for the interface":  {cache: "network_interface: '^l.$'"},
		"keeps objects in a directory":       {cache: "network_interface: '^lo$', storage: 'fs://DIR/objects'"},
		"wants the interface":                {cache: "network_interface: '^nothing$'", fails: true},
		"wants a pattern that is one":        {cache: "network_interface: '['", fails: true},
		"wants a directory for its objects":  {cache: "network_interface: '^lo$', storage: 'fs://DIR/flame-cluster.yaml/x'", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.write(fmt.Sprintf("cluster: {name: x, endpoint: 'http://127.0.0.1:1'}\ncache: {endpoint: 'grpc://anything:%d', %s}\n",
				c.port, strings.ReplaceAll(test.cache, "DIR", c.dir)))
			p := c.start("flame-object-cache", "object-cache")
			if test.fails {
				assert.Equal(t, 1, p.exit())
				return
			}
			c.eventually(10*time.Second, "it listens", func() bool {
				connection, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", c.port))
				if err == nil {
					_ = connection.Close()
				}
				return err == nil
			})
		})
	}
	t.Run("takes the memory that its environment names", func(t *testing.T) {
		c := newCluster(t)
		c.environ = append(c.environ, "FLAME_CACHE_MAX_MEMORY=201326592")
		c.write(fmt.Sprintf("cluster: {name: x, endpoint: 'http://127.0.0.1:1'}\n"+
			"cache: {endpoint: 'grpc://anything:%d', network_interface: '^lo$', eviction: {max_memory: '1073741824'}}\n", c.port))
		p := c.start("flame-object-cache", "object-cache")
		c.eventually(10*time.Second, "it says how much", func() bool {
			return strings.Contains(p.output.String(), "max_memory=201.3 MB")
		})
	})
	t.Run("wants its block", func(t *testing.T) {
		c := newCluster(t)
		assert.Equal(t, 1, c.start("flame-object-cache", "object-cache").exit())
	})
}
