// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/xflops/flame-operator/test/standin/config"
	"github.com/xflops/flame-operator/test/standin/ctl"
	"github.com/xflops/flame-operator/test/standin/executormanager"
	"github.com/xflops/flame-operator/test/standin/instance"
	"github.com/xflops/flame-operator/test/standin/journal"
	"github.com/xflops/flame-operator/test/standin/objectcache"
	"github.com/xflops/flame-operator/test/standin/ping"
	"github.com/xflops/flame-operator/test/standin/sessionmanager"
)

// component is one of Flame's three servers.
type component struct {
	logName, crate string
	run            func(context.Context, *config.File, *journal.Log) error
}

var components = map[string]component{
	"session-manager":  {"fsm", "flame_session_manager", sessionmanager.Run},
	"executor-manager": {"fem", "flame_executor_manager", executormanager.Run},
	"object-cache":     {"foc", "flame_object_cache", objectcache.Run},
}

func main() {
	if err := run(context.Background(), os.Args); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			_, _ = fmt.Fprintf(os.Stderr, "Error: %v\n", err)
		}
		os.Exit(1)
	}
}

// run plays the role that the program was called by, or the one that its first
// argument names.
func run(ctx context.Context, arguments []string) error {
	role, rest := filepath.Base(arguments[0]), arguments[1:]
	if !known(role) && len(rest) > 0 {
		role, rest = rest[0], rest[1:]
	}
	switch role = strings.TrimPrefix(role, "flame-"); role {
	case "flmping", "ping":
		return ping.Run(ctx, rest, os.Stdout)
	case "flmctl", "ctl":
		return ctl.Run(ctx, rest, os.Stdout)
	case "flmping-service":
		return instance.Run()
	}
	server, found := components[role]
	if !found {
		return fmt.Errorf("unknown role %q: want session-manager, executor-manager, object-cache, ping or ctl", role)
	}
	return server.start(ctx, role, rest)
}

func known(name string) bool {
	_, server := components[strings.TrimPrefix(name, "flame-")]
	return server || strings.HasPrefix(name, "flm")
}

func (c component) start(ctx context.Context, role string, arguments []string) error {
	log, err := journal.Open(c.logName, c.crate)
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet("flame-"+role, flag.ContinueOnError)
	path := flags.String("config", "", "the configuration, by default "+config.DefaultPath)
	if role == "object-cache" {
		flags.StringVar(path, "c", "", "the same as --config")
	}
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	file, err := config.Load(*path)
	if err != nil {
		return err
	}
	deafToTermination(os.Getpid())
	return c.run(ctx, file, log)
}

// deafToTermination makes PID 1 ignore the signals that Flame does not handle, as the
// kernel does for every program but Go's, whose runtime exits by itself. Any other
// process dies of these signals at once. The signals are caught, not ignored, so that
// children do not inherit that.
func deafToTermination(pid int) {
	if pid != 1 {
		return
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		for range signals {
			continue
		}
	}()
}
