// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package archive_test

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/hack/image/archive"
)

func TestAnImageHoldsWhatItsSpecSays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image.tar")
	img, err := archive.Build(archive.Spec{
		Entries:      entries(t, t.TempDir()),
		Entrypoint:   []string{"/opt/bin/tool", "serve"},
		User:         "65532",
		Env:          []string{"HOME=/tmp"},
		WorkingDir:   "/tmp",
		Labels:       map[string]string{"a": "b"},
		Architecture: "arm64",
	})
	require.NoError(t, err)
	require.NoError(t, archive.Write(path, img, "docker.io/xflops/tool:v1"))

	read, err := tarball.ImageFromPath(path, nil)
	require.NoError(t, err)
	config, err := read.ConfigFile()
	require.NoError(t, err)
	assert.Equal(t, "linux", config.OS)
	assert.Equal(t, "arm64", config.Architecture)
	assert.Equal(t, []string{"/opt/bin/tool", "serve"}, config.Config.Entrypoint)
	assert.Equal(t, "65532", config.Config.User)
	assert.Equal(t, []string{"HOME=/tmp"}, config.Config.Env)
	assert.Equal(t, "/tmp", config.Config.WorkingDir)
	assert.Equal(t, map[string]string{"a": "b"}, config.Config.Labels)

	content := mutate.Extract(read)
	t.Cleanup(func() { assert.NoError(t, content.Close()) })
	assert.Equal(t, []string{
		"bin 0755 0:0",
		"bin/tool 0777 0:0 -> /opt/bin/tool",
		"data 0700 0:0",
		"opt 0755 0:0",
		"opt/bin 0755 0:0",
		"opt/bin/tool 0755 0:0",
		"tmp 1777 0:0",
	}, listing(t, content))

	manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(path) })
	require.NoError(t, err)
	assert.Equal(t, []string{"docker.io/xflops/tool:v1"}, manifest[0].RepoTags)
}

func TestTheSameFilesGiveTheSameImage(t *testing.T) {
	first, err := archive.Build(archive.Spec{Entries: entries(t, t.TempDir())})
	require.NoError(t, err)
	later := t.TempDir()
	given := entries(t, later)
	tool := filepath.Join(later, "tool")
	require.NoError(t, os.Chtimes(tool, time.Unix(0, 0), time.Unix(0, 0)))
	require.NoError(t, os.Chmod(tool, 0o700))
	second, err := archive.Build(archive.Spec{Entries: given})
	require.NoError(t, err)

	a, err := first.Digest()
	require.NoError(t, err)
	b, err := second.Digest()
	require.NoError(t, err)
	assert.Equal(t, a, b)
}

func TestWhatCannotBeReadIsRefused(t *testing.T) {
	file := func(arg string) error { _, err := archive.ParseFile(arg); return err }
	dir := func(arg string) error { _, err := archive.ParseDir(arg); return err }
	link := func(arg string) error { _, err := archive.ParseLink(arg); return err }
	cases := map[string]struct {
		parse func(string) error
		arg   string
		says  string
	}{
		"a file without destination":  {file, "tool", "SOURCE:DESTINATION"},
		"a file that is not there":    {file, "/nowhere/tool:/tool", "no such file"},
		"a relative destination":      {file, "archive_test.go:tool", "not an absolute path"},
		"a mode that is not octal":    {file, "archive_test.go:/tool:rwx", "not an octal mode"},
		"a set-user-ID bit":           {dir, "/tmp:4755", "not an octal mode"},
		"a directory without a mode":  {dir, "/tmp", "DIRECTORY:MODE"},
		"a link that points nowhere":  {link, ":/bin/sh", "TARGET:DESTINATION"},
		"a link without a name":       {link, "/bin/bash", "TARGET:DESTINATION"},
		"a link with a relative name": {link, "/bin/bash:sh", "not an absolute path"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			assert.ErrorContains(t, tc.parse(tc.arg), tc.says)
		})
	}
	t.Run("a path given twice", func(t *testing.T) {
		same, err := archive.ParseLink("/a:/b")
		require.NoError(t, err)
		_, err = archive.Build(archive.Spec{Entries: []archive.Entry{same, same}})
		assert.ErrorContains(t, err, `"/b" is given twice`)
	})
}

// entries are those of a small image; the one file they need is written to folder.
func entries(t *testing.T, folder string) []archive.Entry {
	t.Helper()
	tool := filepath.Join(folder, "tool")
	require.NoError(t, os.WriteFile(tool, []byte("#!/bin/sh\n"), 0o755))
	file, err := archive.ParseFile(tool + ":/opt/bin/tool")
	require.NoError(t, err)
	link, err := archive.ParseLink("/opt/bin/tool:/bin/tool")
	require.NoError(t, err)
	data, err := archive.ParseDir("/data:0700")
	require.NoError(t, err)
	tmp, err := archive.ParseDir("/tmp:1777")
	require.NoError(t, err)
	return append(file, tmp, link, data)
}

func listing(t *testing.T, content io.Reader) []string {
	t.Helper()
	var lines []string
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines
		}
		require.NoError(t, err)
		line := fmt.Sprintf("%s %04o %d:%d", h.Name, h.Mode, h.Uid, h.Gid)
		if h.Linkname != "" {
			line += " -> " + h.Linkname
		}
		lines = append(lines, line)
		assert.True(t, h.ModTime.IsZero() || h.ModTime.Unix() == 0, "%s has a time", h.Name)
	}
}
