// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package journal writes log lines as Flame's components do: each line goes to
// stdout and to a file in $FLAME_HOME/logs, filtered by RUST_LOG, which lets
// nothing but errors through when it is unset.
package journal

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/xflops/flame-operator/test/standin/host"
)

// Level is how bad a line is.
type Level int

// The levels, worst first.
const (
	Off Level = iota
	Error
	Warn
	Info
	Debug
	Trace
)

var levels = map[string]Level{"off": Off, "error": Error, "warn": Warn, "info": Info, "debug": Debug, "trace": Trace}

var levelNames = [...]string{"", "ERROR", " WARN", " INFO", "DEBUG", "TRACE"}

// Log takes one component's lines, and is safe for concurrent use.
type Log struct {
	mu      sync.Mutex
	out     io.Writer
	crate   string
	other   Level
	targets map[string]Level
}

// Open creates the log file of a component: "fsm", "fem" or "foc". A file that
// cannot be created ends Flame, so it is an error here.
func Open(component, crate string) (*Log, error) {
	home := os.Getenv("FLAME_HOME")
	if home == "" {
		home = "/tmp/flame"
	}
	dir := filepath.Join(home, "logs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create log directory %q: %w", dir, err)
	}
	name := fmt.Sprintf("%s-%s.%s", component, host.Name(), time.Now().UTC().Format(time.DateOnly))
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log file: %w", err)
	}
	return New(io.MultiWriter(os.Stdout, lossy{file}), crate, os.Getenv("RUST_LOG")), nil
}

// New returns a log of a crate, with a filter in the form of RUST_LOG.
func New(out io.Writer, crate, filter string) *Log {
	log := &Log{out: out, crate: crate, other: Error, targets: map[string]Level{}}
	for directive := range strings.SplitSeq(filter, ",") {
		target, name, found := strings.Cut(strings.TrimSpace(directive), "=")
		if !found {
			if level, ok := levels[strings.ToLower(target)]; ok {
				log.other = level
			}
			continue
		}
		if level, ok := levels[strings.ToLower(name)]; ok {
			log.targets[target] = level
		}
	}
	return log
}

// Errorf logs an error of a module of the crate; "" is the crate itself.
func (l *Log) Errorf(module, format string, args ...any) { l.write(Error, module, format, args) }

// Warnf logs a warning.
func (l *Log) Warnf(module, format string, args ...any) { l.write(Warn, module, format, args) }

// Infof logs what happened.
func (l *Log) Infof(module, format string, args ...any) { l.write(Info, module, format, args) }

// Debugf logs details.
func (l *Log) Debugf(module, format string, args ...any) { l.write(Debug, module, format, args) }

func (l *Log) write(level Level, module, format string, args []any) {
	target := l.crate
	if module != "" {
		target += "::" + module
	}
	if level > l.threshold(target) {
		return
	}
	line := fmt.Sprintf("%s %s %s: %s\n", time.Now().Format("15:04:05.000"), levelNames[level], target, fmt.Sprintf(format, args...))
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.out, line)
}

// threshold is the level of the longest directive that covers the target.
func (l *Log) threshold(target string) Level {
	level, longest := l.other, -1
	for prefix, candidate := range l.targets {
		if len(prefix) > longest && (target == prefix || strings.HasPrefix(target, prefix+"::")) {
			level, longest = candidate, len(prefix)
		}
	}
	return level
}

// lossy swallows failures, as Flame's file writer does when its disk is full.
type lossy struct{ io.Writer }

func (w lossy) Write(p []byte) (int, error) {
	_, _ = w.Writer.Write(p)
	return len(p), nil
}
