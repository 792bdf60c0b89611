// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package modules_test holds the modules of the project together.
package modules_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// requirement is a line of a go.mod: it requires a version of another module.
var requirement = regexp.MustCompile(`(?m)^(?:require )?\t?(\S+\.\S+/\S+) (v\S+)( // indirect)?$`)

// What several modules require, they require in the same version: what is tested is what
// is shipped. go mod tidy says nothing when one of them is ahead.
func TestModulesRequireTheSameVersions(t *testing.T) {
	versions := map[string]map[string][]string{}
	for _, module := range listed(t) {
		text, err := os.ReadFile(filepath.Join(root, module, "go.mod"))
		require.NoError(t, err)
		found := requirement.FindAllStringSubmatch(string(text), -1)
		require.NotEmpty(t, found, module)
		for _, line := range found {
			path, version, indirect := line[1], line[2], line[3] != ""
			// What the operator is built with counts, whoever asked for it.
			if indirect && module != "." {
				continue
			}
			if versions[path] == nil {
				versions[path] = map[string][]string{}
			}
			versions[path][version] = append(versions[path][version], module)
		}
	}
	require.Contains(t, versions, "k8s.io/client-go")
	for path, modules := range versions {
		assert.Len(t, modules, 1, "%s has more than one version: run go get and go mod tidy where it is another than in the root's go.mod", path)
	}
}

// Nothing tests and lints a module that the scripts of hack/ do not list.
func TestEveryTestIsInAListedModule(t *testing.T) {
	modules := listed(t)
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		relative, err := filepath.Rel(root, path)
		require.NoError(t, err)
		switch {
		case relative == ".git" || relative == "build":
			if entry.IsDir() {
				return fs.SkipDir
			}
		case strings.HasSuffix(path, "_test.go"):
			assert.Contains(t, modules, moduleOf(t, relative), "make test does not run %s", relative)
		}
		return nil
	}))
}

// moduleOf returns the folder of the module that a file belongs to.
func moduleOf(t *testing.T, file string) string {
	t.Helper()
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(root, dir, "go.mod")); err == nil {
			return dir
		}
		require.NotEqual(t, ".", dir, "no module holds %s", file)
	}
}

// listed returns the modules that make test and make lint go through.
func listed(t *testing.T) []string {
	t.Helper()
	// go test runs this again only if it saw what has changed.
	require.FileExists(t, filepath.Join(root, "hack/lib.sh"))
	command := exec.CommandContext(t.Context(), "bash", "-c", "source hack/lib.sh && modules")
	command.Dir = root
	out, err := command.Output()
	require.NoError(t, err)
	modules := strings.Fields(string(out))
	require.Contains(t, modules, ".")
	return modules
}
