// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package build

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// tick is how often a build says that it goes on.
const tick = 15 * time.Second

// build builds the given binaries of set into folder, where each appears whole or not at all.
func (c Cache) build(ctx context.Context, set Set, folder string, binaries []string) error {
	partial, err := os.MkdirTemp(folder, ".partial-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(partial) //nolint:errcheck // What is left of it is in nobody's way.

	fmt.Fprintf(c.Progress, "Building %s, once for all clones (into %s).\n", strings.Join(binaries, ", "), folder)
	started := time.Now()
	output := partial + "/"
	if len(binaries) == 1 {
		// Go would name it after the module, which etcd's is not named after.
		output = filepath.Join(partial, binaries[0])
	}
	args := append([]string{"build", "-v", "-o", output}, set.flags()...)
	for _, binary := range binaries {
		args = append(args, set.Packages[binary])
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = filepath.Join(c.Source, set.Module)
	// The flags are part of the key, so none may come from the machine.
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if err := c.watch(cmd, set.Name, started); err != nil {
		return err
	}
	for _, binary := range binaries {
		if err := os.Rename(filepath.Join(partial, binary), filepath.Join(folder, binary)); err != nil {
			return fmt.Errorf("keep what was built: %w", err)
		}
	}
	fmt.Fprintf(c.Progress, "Built %s in %.0f s.\n", set.Name, time.Since(started).Seconds())
	return nil
}

// watch runs a verbose go build and reports what it is at until it ends.
func (c Cache) watch(cmd *exec.Cmd, name string, started time.Time) error {
	out, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start go build (install Go from https://go.dev/dl if it is missing): %w", err)
	}
	var log buildLog
	read := make(chan struct{})
	go func() {
		defer close(read)
		log.read(out)
	}()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			fmt.Fprintf(c.Progress, "  %s: %.0f s, %s\n", name, time.Since(started).Seconds(), log.state())
			continue
		case <-read:
		}
		break
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("build %s: %w\n%s\nIt needs Go and a Go module proxy (go env GOPROXY); the lines above say what is missing",
			name, err, log.messages())
	}
	return nil
}

// buildLog is what go build -v says: the packages it is done with, and messages.
type buildLog struct {
	mu       sync.Mutex
	packages int
	last     string
	other    []string
}

func (l *buildLog) read(out io.Reader) {
	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		l.add(scanner.Text())
	}
	_, _ = io.Copy(io.Discard, out)
}

func (l *buildLog) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case strings.HasPrefix(line, "go: downloading "):
		l.last = strings.TrimPrefix(line, "go: ")
	case line != "" && !strings.ContainsAny(line, " \t:"):
		l.packages++
		l.last = "now at " + line
	default:
		l.other = append(l.other, line)
	}
}

func (l *buildLog) state() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.packages == 0 && l.last == "" {
		return "linking what the Go build cache has"
	}
	return fmt.Sprintf("%d packages compiled, %s", l.packages, l.last)
}

func (l *buildLog) messages() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	const most = 40
	return strings.Join(l.other[max(0, len(l.other)-most):], "\n")
}

func hashOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:])
}
