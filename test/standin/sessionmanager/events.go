// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package sessionmanager

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// descriptorsPerSession is how many files Flame keeps open, until it ends, for
// each session that ever had an event.
const descriptorsPerSession = 4

// eventLog is the history of all sessions and tasks, in the directory "events"
// of wherever the session manager was started, or in memory only.
type eventLog struct {
	dir    string
	events map[string][]event
	files  map[string]*[descriptorsPerSession]*os.File
}

// openEvents reads all history. Unlike other state, what cannot be read ends
// the start: a damaged file, or a directory that belongs to somebody else.
func openEvents(storage string) (*eventLog, error) {
	log := &eventLog{events: map[string][]event{}, files: map[string]*[descriptorsPerSession]*os.File{}}
	if storage == "none" {
		return log, nil
	}
	log.dir = "events"
	if test := os.Getenv("FLAME_TEST_DIR"); test != "" {
		log.dir = filepath.Join(test, "events")
	}
	if err := os.MkdirAll(log.dir, 0o755); err != nil {
		return nil, fmt.Errorf("create events directory: %w", err)
	}
	entries, err := os.ReadDir(log.dir)
	if err != nil {
		return nil, fmt.Errorf("read events directory: %w", err)
	}
	for _, entry := range entries {
		if err := log.read(entry.Name()); err != nil {
			return nil, fmt.Errorf("read events of session %q: %w", entry.Name(), err)
		}
	}
	return log, nil
}

func (l *eventLog) read(session string) error {
	files, err := l.open(session)
	if err != nil {
		return err
	}
	records := json.NewDecoder(files[0])
	for {
		var e event
		if err := records.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		l.events[session] = append(l.events[session], e)
	}
}

func (l *eventLog) open(session string) (*[descriptorsPerSession]*os.File, error) {
	if files, found := l.files[session]; found {
		return files, nil
	}
	dir := filepath.Join(l.dir, session)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	files := new([descriptorsPerSession]*os.File)
	for i := range files {
		file, err := os.OpenFile(filepath.Join(dir, "events"), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		files[i] = file
	}
	l.files[session] = files
	return files, nil
}

// record adds an event to a task's history, or with task 0 to the session's.
func (l *eventLog) record(session string, task int64, code int32, format string, args ...any) error {
	e := event{Task: task, Code: code, Message: fmt.Sprintf(format, args...), Created: millis()}
	if l.dir != "" {
		files, err := l.open(session)
		if err != nil {
			return fmt.Errorf("record event of session %q: %w", session, err)
		}
		if err := json.NewEncoder(files[0]).Encode(e); err != nil {
			return fmt.Errorf("record event of session %q: %w", session, err)
		}
	}
	l.events[session] = append(l.events[session], e)
	return nil
}

func (l *eventLog) of(session string, task int64) []event {
	var found []event
	for _, e := range l.events[session] {
		if e.Task == task {
			found = append(found, e)
		}
	}
	return found
}

// forget removes a session's history, but not the open files.
func (l *eventLog) forget(session string) error {
	delete(l.events, session)
	if l.dir == "" {
		return nil
	}
	return os.RemoveAll(filepath.Join(l.dir, session))
}
