// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flameconf

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/clusters"
)

var update = flag.Bool("update", false, "write the golden files anew")

const full = `
metadata: {name: c, namespace: ns}
spec:
  sessionManager:
    image: docker.io/xflops/flame-session-manager:v0.6.0
    slot: {cpu: 2, memory: 1.5Gi, gpu: 1}
    scheduleIntervalMilliseconds: 250
    maxSessions: 50
    sessionRetryLimit: 3
  executorManager: {image: docker.io/xflops/flame-executor-manager:v0.6.0}
  objectCache:
    image: docker.io/xflops/flame-object-cache:v0.6.0
    networkInterface: net1.5
    eviction: {policy: none, maxMemory: 512Mi, maxObjects: 10}
`

// Every key that Flame 0.6 reads from flame-cluster.yaml, with what it must be.
// Flame ignores any other key without a word.
var keysOfFlame = map[string]string{
	"cluster.name":                          "string",
	"cluster.endpoint":                      "string",
	"cluster.resreq":                        "string",
	"cluster.policies":                      "list",
	"cluster.storage":                       "string",
	"cluster.schedule_interval":             "number",
	"cluster.executors.shim":                "string",
	"cluster.limits.max_sessions":           "number",
	"cluster.recovery.session.retry_limits": "number",
	"cache.endpoint":                        "string",
	"cache.network_interface":               "string",
	"cache.storage":                         "string",
	"cache.eviction.policy":                 "string",
	"cache.eviction.max_memory":             "string",
	"cache.eviction.max_objects":            "number",
}

func TestFilesAreAsFlameReadsThem(t *testing.T) {
	for name, test := range map[string]struct {
		cluster, version string
		storage          flamev1alpha1.StorageType
	}{
		"minimal": {clusters.Minimal, "0.6.0", flamev1alpha1.StorageFilesystem},
		"full":    {full, "0.6.0", flamev1alpha1.StorageSQLite},
		"newer":   {full, "0.6.1", flamev1alpha1.StorageNone},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := clusters.Parse(t, test.cluster)
			version, err := VersionOf(test.version, "")
			require.NoError(t, err)
			golden(t, name+".flame-cluster.yaml", ForServers(cluster, version, StorageURI(test.storage)))
			golden(t, name+".flame.yaml", ForClients(cluster))
		})
	}
}

func golden(t *testing.T, name string, config any) {
	t.Helper()
	path := filepath.Join("testdata", name)
	got, err := Render(config)
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update to write the golden file")
	assert.Equal(t, string(want), got)
}

func TestOnlyKeysThatFlameReadsAreRendered(t *testing.T) {
	files, err := filepath.Glob("testdata/*.flame-cluster.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	seen := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		object := map[string]any{}
		require.NoError(t, yaml.Unmarshal(text, &object))
		collect("", object, seen)
	}
	assert.Equal(t, keysOfFlame, seen, "the golden files and Flame's keys")
}

// collect notes the path and the type of every value.
func collect(prefix string, object map[string]any, into map[string]string) {
	for key, value := range object {
		switch value := value.(type) {
		case map[string]any:
			collect(prefix+key+".", value, into)
		case []any:
			into[prefix+key] = "list"
		case float64:
			into[prefix+key] = "number"
		case string:
			into[prefix+key] = "string"
		}
	}
}

func TestPoliciesAreAliveInEveryVersion(t *testing.T) {
	for name, test := range map[string]struct {
		version string
		policy  flamev1alpha1.Policy
		want    []string
	}{
		"0.6.0 allocates nothing without gang":        {"0.6.0", flamev1alpha1.PolicyPriority, []string{"priority", "drf", "gang"}},
		"0.6.0 with drf alone needs gang too":         {"v0.6.0", flamev1alpha1.PolicyDRF, []string{"drf", "gang"}},
		"a candidate of 0.6.0 is configured as 0.6.0": {"0.6.0-rc2", flamev1alpha1.PolicyDRF, []string{"drf", "gang"}},
		"0.6.1 refuses gang and fits nodes with drf":  {"0.6.1", flamev1alpha1.PolicyPriority, []string{"priority", "drf"}},
		"later 0.6 releases with drf alone":           {"0.6.12", flamev1alpha1.PolicyDRF, []string{"drf"}},
	} {
		t.Run(name, func(t *testing.T) {
			version, err := VersionOf(test.version, "")
			require.NoError(t, err)
			assert.Equal(t, test.want, version.policies(test.policy))
		})
	}
}

func TestVersionIsToldFromSpecOrTag(t *testing.T) {
	for name, test := range map[string]struct{ explicit, image, want, wantError string }{
		"the tag of the image":            {image: "docker.io/xflops/flame-session-manager:v0.6.0", want: "0.6.0"},
		"a tag before a digest":           {image: "example.com:5000/fsm:0.6.1@sha256:" + digest, want: "0.6.1"},
		"the spec wins over the tag":      {explicit: "0.6.1", image: "x/fsm:v0.6.0", want: "0.6.1"},
		"a digest alone needs the spec":   {image: "x/fsm@sha256:" + digest, wantError: "has no tag that tells the version of Flame: set flameVersion"},
		"no tag needs the spec":           {image: "x/fsm", wantError: "has no tag that tells the version of Flame: set flameVersion"},
		"latest needs the spec":           {image: "x/fsm:latest", wantError: `sessionManager.image has the tag "latest", which is no version of Flame: set flameVersion`},
		"an unparsable tag with the spec": {explicit: "0.6.0", image: "x/fsm:nightly", want: "0.6.0"},
		"too old a tag":                   {image: "x/fsm:v0.5.0", wantError: "sessionManager.image, by its tag, asks for Flame 0.5.0, which this operator does not support"},
		"too new a spec":                  {explicit: "1.0.0", wantError: "flameVersion asks for Flame 1.0.0, which this operator does not support"},
		"no image name":                   {image: "NOT AN IMAGE", wantError: "is no image name"},
	} {
		t.Run(name, func(t *testing.T) {
			version, err := VersionOf(test.explicit, test.image)
			if test.wantError != "" {
				require.ErrorContains(t, err, test.wantError)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, version.String())
		})
	}
}

const digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestEachComponentSeesOnlyWhatItReads(t *testing.T) {
	version, err := VersionOf("0.6.0", "")
	require.NoError(t, err)
	base := ForServers(clusters.Parse(t, full), version, "none")
	readers := map[string]func(Server) any{
		"session manager": Server.ReadBySessionManager, "executor manager": Server.ReadByExecutorManager, "object cache": Server.ReadByObjectCache,
	}
	for name, test := range map[string]struct {
		change  func(*flamev1alpha1.FlameClusterSpec)
		readers []string
	}{
		"a longer interval is the session manager's": {func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.ScheduleIntervalMilliseconds = 500 }, []string{"session manager"}},
		"another policy is the session manager's":    {func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Policy = "drf" }, []string{"session manager"}},
		"another eviction is the cache's":            {func(s *flamev1alpha1.FlameClusterSpec) { s.ObjectCache.Eviction.Policy = "lru" }, []string{"object cache"}},
		"a cache that goes is known to its users":    {func(s *flamev1alpha1.FlameClusterSpec) { s.ObjectCache = nil }, []string{"executor manager", "object cache"}},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := clusters.Parse(t, full)
			test.change(&cluster.Spec)
			changed := ForServers(cluster, version, "none")
			var got []string
			for _, reader := range slices.Sorted(maps.Keys(readers)) {
				before, err := Render(readers[reader](base))
				require.NoError(t, err)
				after, err := Render(readers[reader](changed))
				require.NoError(t, err)
				if before != after {
					got = append(got, reader)
				}
			}
			assert.Equal(t, test.readers, got)
		})
	}
}

func TestStorageOfReadsWhatWasRendered(t *testing.T) {
	cluster := clusters.Parse(t, clusters.Minimal)
	version, err := VersionOf("", cluster.Spec.SessionManager.Image)
	require.NoError(t, err)
	text, err := Render(ForServers(cluster, version, "sqlite:///somewhere"))
	require.NoError(t, err)
	assert.Equal(t, "sqlite:///somewhere", StorageOf([]byte(text)))
	assert.Empty(t, StorageOf(nil))
	assert.Empty(t, StorageOf([]byte("cluster: [")))
}
