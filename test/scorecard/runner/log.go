// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// Log is what a test says while it runs, each line with the seconds since the test's
// start. Several goroutines may use a Log at once.
type Log struct {
	start time.Time
	mu    sync.Mutex
	text  strings.Builder
}

func newLog(start time.Time) *Log { return &Log{start: start} }

// Printf adds a line.
func (l *Log) Printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.text, "%6.1fs  %s\n", time.Since(l.start).Seconds(), strings.TrimRight(fmt.Sprintf(format, args...), "\n"))
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// tail keeps the end of what is written to it.
type tail struct {
	most int
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - t.most; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(t.text), "?")
}
