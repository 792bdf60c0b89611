// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A node of each architecture pulls the program that was built for it, under one
// name; and the digest is known before anything is pushed.
func TestOneNameForTwoArchitectures(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	tag := strings.TrimPrefix(server.URL, "http://") + "/xflops/tool:v1"
	dir := t.TempDir()
	for _, architecture := range []string{"amd64", "arm64"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, architecture), []byte("for "+architecture), 0o600))
	}
	args := []string{"--tag", tag, "--arch", "amd64,arm64", "--entrypoint", "/tool", filepath.Join(dir, "{arch}") + ":/tool:0755"}

	require.NoError(t, run(append([]string{"--push"}, args...)))
	digest := printed(t, func() { require.NoError(t, run(append([]string{"--digest"}, args...))) })

	ref, err := name.ParseReference(tag)
	require.NoError(t, err)
	descriptor, err := remote.Get(ref)
	require.NoError(t, err)
	assert.Equal(t, descriptor.Digest.String(), digest)
	for _, architecture := range []string{"amd64", "arm64"} {
		img, err := remote.Image(ref, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: architecture}))
		require.NoError(t, err)
		content := mutate.Extract(img)
		data, err := io.ReadAll(content)
		require.NoError(t, err)
		require.NoError(t, content.Close())
		assert.Contains(t, string(data), "for "+architecture)
	}
}

func TestAnArchiveHoldsOneArchitecture(t *testing.T) {
	err := run([]string{"--tag", "a/b:c", "--arch", "amd64,arm64", "--output", filepath.Join(t.TempDir(), "image.tar")})
	require.ErrorContains(t, err, "an archive holds one architecture")
}

// printed is what a function writes to the standard output.
func printed(t *testing.T, function func()) string {
	t.Helper()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	stdout := os.Stdout
	os.Stdout = write
	function()
	os.Stdout = stdout
	require.NoError(t, write.Close())
	data, err := io.ReadAll(read)
	require.NoError(t, err)
	return strings.TrimSpace(string(data))
}
