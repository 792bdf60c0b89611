// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Command bench measures the operator's speed and size on a real kube-apiserver
// and etcd, without kubelets:
//
//	KUBEBUILDER_ASSETS=FOLDER bench MANAGER
//
// The working directory is the top of the project, where the CRD lies. MANAGER is the
// operator's executable, which runs as a process of its own. Figures that depend on the
// machine are printed beside their budgets and fail nothing. The share of a bare client's
// rate in the same run can fail the bench, and so can writes at rest.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	only := flag.String("only", "", "measure one part only: speed or fleet")
	flag.Parse()
	if flag.NArg() != 1 || os.Getenv("KUBEBUILDER_ASSETS") == "" {
		fmt.Fprintln(os.Stderr, "usage: KUBEBUILDER_ASSETS=FOLDER bench [-only PART] MANAGER, which is what make bench does")
		os.Exit(2)
	}
	ctrl.SetLogger(logr.Discard())
	// The servers that the bench started have to be stopped when it is interrupted, too.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, flag.Arg(0), *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run measures every part and prints one table.
func run(ctx context.Context, manager, only string) error {
	dir, err := os.MkdirTemp("", "flame-operator-bench-")
	if err != nil {
		return err
	}
	begin := time.Now()
	say("%d CPUs, %s; logs are in %s", runtime.NumCPU(), load(), dir)
	parts := []struct {
		name    string
		measure func(ctx context.Context, dir, manager string) ([]row, error)
	}{{"speed", measureSpeed}, {"fleet", measureFleet}}
	var rows []row
	for _, part := range parts {
		if only != "" && only != part.name {
			continue
		}
		folder := filepath.Join(dir, part.name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
		measured, err := part.measure(ctx, folder, manager)
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		rows = append(rows, measured...)
	}
	say("In %s, %s.\n", time.Since(begin).Round(time.Second), load())
	if count := write(os.Stdout, rows); count > 0 {
		return fmt.Errorf("%d of the measurements failed; what the operator logged is in %s", count, dir)
	}
	return os.RemoveAll(dir)
}

// load says how busy the machine is beside the bench, where it can be known.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "load unknown"
	}
	return "load " + strings.Join(strings.Fields(string(text))[:2], " and ") + " over 1 and 5 minutes"
}

func say(format string, arguments ...any) { fmt.Fprintf(os.Stderr, format+"\n", arguments...) }
