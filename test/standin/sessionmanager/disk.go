// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package sessionmanager

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// disk keeps everything in files under one directory. The layout of the folders
// is Flame's, what is in the files is not.
type disk struct {
	root string
}

func openFilesystem(root string) (store, error) {
	for _, part := range []string{"sessions", "applications", "nodes"} {
		if err := os.MkdirAll(filepath.Join(root, part), 0o755); err != nil {
			return nil, fmt.Errorf("create storage directory: %w", err)
		}
	}
	return disk{root}, nil
}

// openSQLite keeps SQLite's rules about places: the path is relative to the working
// directory, its parent must exist, and the migrations must lie in the working directory.
// The stand-in makes a directory of files there.
func openSQLite(uri string) (store, error) {
	path, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(uri, "sqlite://"), "sqlite:"), "?")
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if _, err := os.ReadDir(filepath.Join("migrations", "sqlite")); err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return openFilesystem(path)
}

func (d disk) durable() bool { return true }

func (d disk) saveSession(s *session) error {
	return write(filepath.Join(d.root, "sessions", s.ID), s)
}

func (d disk) deleteSession(id string) error {
	return os.RemoveAll(filepath.Join(d.root, "sessions", id))
}

// saveTask appends the task to its session's file, where the last record counts.
func (d disk) saveTask(session string, t *task) error {
	path := filepath.Join(d.root, "sessions", session, "tasks")
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("save task %s/%d: %w", session, t.ID, err)
	}
	err = json.NewEncoder(file).Encode(t)
	return errors.Join(err, file.Close())
}

func (d disk) saveNode(n *node) error {
	return write(filepath.Join(d.root, "nodes", n.Name), n)
}

func (d disk) deleteNode(name string) error {
	return os.RemoveAll(filepath.Join(d.root, "nodes", name))
}

func (d disk) saveExecutor(e *executor) error {
	return write(d.executor(e), e)
}

func (d disk) deleteExecutor(e *executor) error {
	return os.RemoveAll(d.executor(e))
}

func (d disk) executor(e *executor) string {
	return filepath.Join(d.root, "nodes", e.Node, "executors", e.ID)
}

func (d disk) saveApplication(a *application) error {
	return write(filepath.Join(d.root, "applications", a.Name), a)
}

func (d disk) deleteApplication(name string) error {
	return os.RemoveAll(filepath.Join(d.root, "applications", name))
}

// load reads everything, and skips in silence what cannot be read.
func (d disk) load(into *State) error {
	for _, path := range d.metadata("applications", "*") {
		if app := new(application); read(path, app) {
			into.applications[app.Name] = app
		}
	}
	for _, path := range d.metadata("nodes", "*") {
		if n := new(node); read(path, n) {
			into.nodes[n.Name] = n
		}
	}
	for _, path := range d.metadata("nodes", "*", "executors", "*") {
		if e := (&executor{woken: make(chan struct{})}); read(path, e) {
			into.executors[e.ID] = e
		}
	}
	for _, path := range d.metadata("sessions", "*") {
		if s := newSession(); read(path, s) {
			readTasks(filepath.Join(filepath.Dir(path), "tasks"), s)
			into.sessions[s.ID] = s
		}
	}
	return nil
}

func (d disk) metadata(parts ...string) []string {
	pattern := filepath.Join(append(append([]string{d.root}, parts...), "metadata")...)
	paths, _ := filepath.Glob(pattern)
	return paths
}

func readTasks(path string, into *session) {
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }()
	records := json.NewDecoder(bufio.NewReader(file))
	for {
		t := &task{changed: make(chan struct{})}
		if err := records.Decode(t); err != nil {
			return
		}
		into.tasks[t.ID] = t
		into.set(t, t.State)
	}
}

func read(path string, into any) bool {
	content, err := os.ReadFile(path)
	return err == nil && json.Unmarshal(content, into) == nil
}

// write replaces the metadata file of a directory at once.
func write(dir string, value any) error {
	content, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, "metadata")
	if err := os.WriteFile(path+".tmp", content, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
