// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package sessionmanager

import (
	"os"
	"path/filepath"
	"strings"
)

// store keeps what survives a restart. Errors of a save end in the caller's
// RPC, as in Flame.
type store interface {
	// durable reports whether anything is kept at all.
	durable() bool
	saveSession(*session) error
	deleteSession(id string) error
	saveTask(session string, task *task) error
	saveNode(*node) error
	// deleteNode takes the records of the node's executors along.
	deleteNode(name string) error
	saveExecutor(*executor) error
	deleteExecutor(*executor) error
	saveApplication(*application) error
	deleteApplication(name string) error
	load(into *State) error
}

// openStore chooses the engine by the URI, as Flame does: what is neither
// "none" nor a file system's is SQLite's, whatever it looks like.
func openStore(uri string) (store, error) {
	if uri == "none" {
		return nothing{}, nil
	}
	for _, scheme := range []string{"filesystem://", "file://", "fs://"} {
		if path, found := strings.CutPrefix(uri, scheme); found {
			return openFilesystem(underHome(path))
		}
	}
	return openSQLite(uri)
}

// underHome leaves an absolute path alone and takes another one as of FLAME_HOME.
func underHome(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	home := os.Getenv("FLAME_HOME")
	if home == "" {
		home = "/usr/local/flame"
	}
	return filepath.Join(home, path)
}

// nothing is the engine "none".
type nothing struct{}

func (nothing) durable() bool                      { return false }
func (nothing) saveSession(*session) error         { return nil }
func (nothing) deleteSession(string) error         { return nil }
func (nothing) saveTask(string, *task) error       { return nil }
func (nothing) saveNode(*node) error               { return nil }
func (nothing) deleteNode(string) error            { return nil }
func (nothing) saveExecutor(*executor) error       { return nil }
func (nothing) deleteExecutor(*executor) error     { return nil }
func (nothing) saveApplication(*application) error { return nil }
func (nothing) deleteApplication(string) error     { return nil }
func (nothing) load(*State) error                  { return nil }
