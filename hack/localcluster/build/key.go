// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// key hashes everything that decides what the binaries of a set are: the
// module's requirements and sums, its own sources among the packages built, the
// flags, and the toolchain (Go version and target).
func (s Set) key(source, toolchain string) (string, error) {
	module := filepath.Join(source, s.Module)
	files := []string{filepath.Join(module, "go.mod"), filepath.Join(module, "go.sum")}
	for _, binary := range s.binaries() {
		pkg := s.Packages[binary]
		if pkg != "." && !strings.HasPrefix(pkg, "./") {
			continue
		}
		own, err := filepath.Glob(filepath.Join(module, pkg, "*.go"))
		if err != nil {
			return "", err
		}
		files = append(files, own...)
	}
	hash := sha256.New()
	fmt.Fprintf(hash, "%s\n%q\n%q\n", toolchain, s.flags(), s.Packages)
	for _, file := range files {
		if err := addFile(hash, file); err != nil {
			return "", fmt.Errorf("hash what decides the build of %s: %w", s.Name, err)
		}
	}
	return hex.EncodeToString(hash.Sum(nil))[:12], nil
}

func addFile(hash io.Writer, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(hash, "%s %d\n%s\n", filepath.Base(path), len(content), content)
	return err
}

// toolchain names the Go version and the target that go build would use in a folder.
func toolchain(ctx context.Context, folder string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION", "GOOS", "GOARCH")
	cmd.Dir = folder
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ask go for its version (install Go from https://go.dev/dl if it is missing): %w", err)
	}
	return strings.Join(strings.Fields(string(out)), " "), nil
}
