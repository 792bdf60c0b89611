// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDefaults(t *testing.T) {
	file, err := parse([]byte("cluster: {name: x, endpoint: 'http://x', slot: ignored}\ncache: {}\n"))
	require.NoError(t, err)
	assert.Equal(t, Cluster{
		Name:             "x",
		Endpoint:         "http://x",
		Policies:         []string{"priority", "drf", "gang"},
		Storage:          "sqlite://flame.db",
		ScheduleInterval: 100 * time.Millisecond,
		Shim:             "host",
		RetryLimits:      5,
	}, file.Cluster)
	assert.Equal(t, &Cache{Endpoint: "http://127.0.0.1:9090", NetworkInterface: "eth0", MaxMemory: 1 << 30}, file.Cache)
}

func TestEverythingThatIsRead(t *testing.T) {
	file, err := parse([]byte(`
cluster:
  name: x
  endpoint: https://x:1
  resreq: "CPU=2, memory=2Gi,gpu=-1,cpu=3"
  policies: []
  storage: none
  schedule_interval: 0
  executors: {shim: WASM, limits: {max_executors: 1}}
  limits: {max_sessions: 7, max_executors: 1}
  recovery: {session: {retry_limits: 0}}
  tls: {cert_file: a, key_file: b, ca_file: c}
  pprof: {port: 1}
cache:
  endpoint: grpcs://x
  network_interface: l
  storage: fs:///x
  eviction: {policy: none, max_memory: 512m, max_objects: 1}
`))
	require.NoError(t, err)
	seven := 7
	assert.Equal(t, Cluster{
		Name:        "x",
		Endpoint:    "https://x:1",
		Resreq:      &Resources{CPU: 3, Memory: 2 << 30, GPU: -1},
		Storage:     "none",
		Shim:        "wasm",
		MaxSessions: &seven,
		TLS:         &TLS{CertFile: "a", KeyFile: "b", CAFile: "c"},
	}, file.Cluster)
	assert.Equal(t, uint64(512<<20), file.Cache.MaxMemory)
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]uint64{
		"256": 256, "512m": 512 << 20, "1K": 1 << 10, "1kb": 1 << 10, "2Gi": 2 << 30, "2GiB": 2 << 30, "1.5g": 3 << 29, "1t": 1 << 40, "1P": 1 << 50,
	} {
		got, err := ParseSize(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "-1", "1x", "g", "1 2", "1mi b"} {
		_, err := ParseSize(text)
		assert.Error(t, err, text)
	}
}

func TestEndpoint(t *testing.T) {
	for endpoint, want := range map[string]int{
		"http://x":       8080,
		"http://x:80":    8080,
		"https://x:443":  8080,
		"https://x:80":   80,
		"http://x:18080": 18080,
	} {
		_, host, port, err := Endpoint(endpoint, DefaultPort)
		require.NoError(t, err, endpoint)
		assert.Equal(t, "x", host)
		assert.Equal(t, want, port, endpoint)
	}
	for _, endpoint := range []string{"x", "x:8080", "http://", "http://x:70000"} {
		_, _, _, err := Endpoint(endpoint, DefaultPort)
		assert.Error(t, err, endpoint)
	}
}
