// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package build

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatDecidesABuildDecidesItsFolder(t *testing.T) {
	base := Set{Name: "tool", Module: "tool", Packages: map[string]string{"tool": "."}, Tags: []string{"a"}}
	files := map[string]string{"go.mod": "module tool", "go.sum": "sum", "main.go": "package main"}
	const go1 = "go1.26 linux amd64"
	key := keyOf(t, base, files, go1)
	with := func(name, content string) map[string]string {
		changed := map[string]string{name: content}
		for name, content := range files {
			if _, is := changed[name]; !is {
				changed[name] = content
			}
		}
		return changed
	}
	flags, stamp := base, base
	flags.Tags = []string{"b"}
	stamp.Stamp = []string{"main.version=v2"}

	assert.Len(t, key, 12)
	assert.Equal(t, key, keyOf(t, base, files, go1), "another clone finds it")
	assert.Equal(t, key, keyOf(t, base, with("README.md", "text"), go1), "what is not built decides nothing")
	for name, other := range map[string]string{
		"a requirement": keyOf(t, base, with("go.mod", "module tool // changed"), go1),
		"a sum":         keyOf(t, base, with("go.sum", "changed"), go1),
		"a source":      keyOf(t, base, with("main.go", "package main // changed"), go1),
		"a new source":  keyOf(t, base, with("more.go", "package main"), go1),
		"the toolchain": keyOf(t, base, files, "go1.27 linux amd64"),
		"a tag":         keyOf(t, flags, files, go1),
		"a stamp":       keyOf(t, stamp, files, go1),
	} {
		assert.NotEqual(t, key, other, name)
	}
}

func TestTheSourcesOfOtherModulesAreKnownByTheirVersions(t *testing.T) {
	set := Set{Name: "tool", Module: "tool", Packages: map[string]string{"tool": "example.org/tool"}}
	files := map[string]string{"go.mod": "module tool", "go.sum": "sum"}
	key := keyOf(t, set, files, "")
	files["main.go"] = "package main"
	assert.Equal(t, key, keyOf(t, set, files, ""))
}

func TestTheStampedVersionIsThePinnedOne(t *testing.T) {
	module, err := os.ReadFile("../../tools/kubernetes/go.mod")
	require.NoError(t, err)
	assert.Contains(t, string(module), "k8s.io/kubernetes "+KubernetesVersion)
	assert.Contains(t, stampOf("v1.37.2"), "k8s.io/client-go/pkg/version.gitMinor=37")
	assert.Contains(t, stampOf("v1.37.2"), "k8s.io/component-base/version.gitMajor=1")
}

func TestEverySetHasAModuleThatNamesItsPackages(t *testing.T) {
	for _, set := range Sets {
		module, err := os.ReadFile(filepath.Join("..", "..", "..", set.Module, "go.mod"))
		require.NoError(t, err)
		for binary, pkg := range set.Packages {
			if !strings.HasPrefix(pkg, ".") {
				assert.Contains(t, string(module), pkg+"\n", binary)
			}
		}
		found, err := Find(set.Name)
		require.NoError(t, err)
		assert.Equal(t, set, found)
	}
	_, err := Find("docker")
	assert.ErrorContains(t, err, "there are kubernetes, ")
}

func TestABuildSaysWhatItIsAt(t *testing.T) {
	var log buildLog
	assert.Equal(t, "linking what the Go build cache has", log.state())
	log.read(strings.NewReader("go: downloading k8s.io/api v0.37.2\n"))
	assert.Equal(t, "0 packages compiled, downloading k8s.io/api v0.37.2", log.state())
	log.read(strings.NewReader("internal/abi\nk8s.io/api/core/v1\n# k8s.io/api/core/v1\ntypes.go:1:1: syntax error\n"))
	assert.Equal(t, "2 packages compiled, now at k8s.io/api/core/v1", log.state())
	assert.Equal(t, "# k8s.io/api/core/v1\ntypes.go:1:1: syntax error", log.messages())
}

func TestALockIsHeldByOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "locks", "a")
	unlock, err := Lock(t.Context(), path, func() { t.Error("nobody holds it") })
	require.NoError(t, err)
	told := make(chan struct{})
	second := make(chan error, 1)
	go func() {
		release, err := Lock(t.Context(), path, func() { close(told) })
		if err == nil {
			release()
		}
		second <- err
	}()
	select {
	case <-told:
	case <-time.After(10 * time.Second):
		t.Fatal("the second caller was not told to wait")
	}
	unlock()
	assert.NoError(t, <-second)
}

func TestOutsideACloneNothingCanBeBuilt(t *testing.T) {
	cache := Cache{Dir: t.TempDir(), Progress: &bytes.Buffer{}}
	_, err := cache.Assets(t.Context())
	assert.ErrorContains(t, err, "run this inside a clone of the project")
}

func keyOf(t *testing.T, set Set, files map[string]string, toolchain string) string {
	t.Helper()
	source := t.TempDir()
	module := filepath.Join(source, set.Module)
	require.NoError(t, os.Mkdir(module, 0o755))
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(module, name), []byte(content), 0o644))
	}
	key, err := set.key(source, toolchain)
	require.NoError(t, err)
	return key
}
