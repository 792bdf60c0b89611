// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package ctl stands in for the lists of flmctl, Flame's command line.
package ctl

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/standin/config"
)

const usage = "usage: flmctl [--config FILE] list -a|-e|-n|-s"

// Run prints one list, and takes its endpoint from the file alone.
func Run(ctx context.Context, arguments []string, out io.Writer) error {
	flags := flag.NewFlagSet("flmctl", flag.ContinueOnError)
	path := flags.String("config", "", "the client configuration, by default "+config.DefaultClientPath)
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() != 2 || flags.Arg(0) != "list" {
		return errors.New(usage)
	}
	list, found := map[string]func(context.Context, flamev1.FrontendClient, io.Writer) error{
		"-a": applications, "-e": executors, "-n": nodes, "-s": sessions,
	}[flags.Arg(1)]
	if !found {
		return errors.New(usage)
	}
	endpoint, err := config.ClientEndpoint(*path)
	if err != nil {
		return err
	}
	_, host, port, err := config.Endpoint(endpoint, config.DefaultPort)
	if err != nil {
		return err
	}
	connection, err := grpc.NewClient("passthrough:///"+net.JoinHostPort(host, strconv.Itoa(port)),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if err := list(ctx, flamev1.NewFrontendClient(connection), table); err != nil {
		return err
	}
	return table.Flush()
}

// row writes one line, indented as Flame's are.
func row(out io.Writer, cells ...any) {
	texts := make([]string, 0, len(cells))
	for _, cell := range cells {
		texts = append(texts, fmt.Sprint(cell))
	}
	_, _ = fmt.Fprintln(out, " "+strings.Join(texts, "\t"))
}

func applications(ctx context.Context, client flamev1.FrontendClient, out io.Writer) error {
	list, err := client.ListApplication(ctx, &flamev1.ListApplicationRequest{})
	if err != nil {
		return fmt.Errorf("list applications: %w", err)
	}
	row(out, "Name", "State", "Shim", "Tags", "Created", "Command")
	for _, a := range list.GetApplications() {
		row(out, a.GetMetadata().GetName(), word(a.GetStatus().GetState(), "APPLICATION_STATE_"), word(a.GetSpec().GetShim(), "SHIM_"),
			strings.Join(a.GetSpec().GetLabels(), ", "), clock(a.GetStatus().GetCreationTime()), orDash(a.GetSpec().GetCommand()))
	}
	return nil
}

func executors(ctx context.Context, client flamev1.FrontendClient, out io.Writer) error {
	list, err := client.ListExecutor(ctx, &flamev1.ListExecutorRequest{})
	if err != nil {
		return fmt.Errorf("list executors: %w", err)
	}
	row(out, "ID", "State", "Session", "Node")
	for _, e := range list.GetExecutors() {
		row(out, e.GetMetadata().GetId(), word(e.GetStatus().GetState(), "EXECUTOR_STATE_"), orDash(e.GetStatus().GetSessionId()), e.GetSpec().GetNode())
	}
	return nil
}

func nodes(ctx context.Context, client flamev1.FrontendClient, out io.Writer) error {
	list, err := client.ListNodes(ctx, &flamev1.ListNodesRequest{})
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	row(out, "NAME", "HOSTNAME", "STATUS", "CPU", "MEMORY", "ARCH", "OS")
	for _, n := range list.GetNodes() {
		capacity, info := n.GetStatus().GetCapacity(), n.GetStatus().GetInfo()
		row(out, n.GetMetadata().GetName(), n.GetSpec().GetHostname(), word(n.GetStatus().GetState(), "NODE_STATE_"),
			capacity.GetCpu(), memory(capacity.GetMemory()), info.GetArch(), info.GetOs())
	}
	return nil
}

// sessions lists the open ones first.
func sessions(ctx context.Context, client flamev1.FrontendClient, out io.Writer) error {
	list, err := client.ListSession(ctx, &flamev1.ListSessionRequest{})
	if err != nil {
		return fmt.Errorf("list sessions: %w", err)
	}
	slices.SortFunc(list.Sessions, func(a, b *flamev1.Session) int {
		return cmp.Compare(a.GetStatus().GetState(), b.GetStatus().GetState())
	})
	row(out, "ID", "State", "App", "Resources", "Priority", "Pending", "Running", "Succeed", "Failed", "Created")
	for _, s := range list.GetSessions() {
		spec, status := s.GetSpec(), s.GetStatus()
		resreq := fmt.Sprintf("cpu=%d,mem=%s,gpu=%d", spec.GetResreq().GetCpu(), memory(spec.GetResreq().GetMemory()), spec.GetResreq().GetGpu())
		row(out, s.GetMetadata().GetId(), word(status.GetState(), "SESSION_STATE_"), spec.GetApplication(), resreq, spec.GetPriority(),
			status.GetPending(), status.GetRunning(), status.GetSucceed(), status.GetFailed(), clock(status.GetCreationTime()))
	}
	return nil
}

// word says "NotReady" for NODE_STATE_NOT_READY.
func word(value fmt.Stringer, prefix string) string {
	var text strings.Builder
	for part := range strings.SplitSeq(strings.TrimPrefix(value.String(), prefix), "_") {
		text.WriteString(part[:1] + strings.ToLower(part[1:]))
	}
	return text.String()
}

func clock(millis int64) string { return time.UnixMilli(millis).UTC().Format(time.TimeOnly) }

func memory(bytes uint64) string {
	for _, unit := range []struct {
		size uint64
		name string
	}{{1 << 30, "Gi"}, {1 << 20, "Mi"}, {1 << 10, "Ki"}} {
		if bytes >= unit.size {
			return fmt.Sprintf("%d%s", bytes/unit.size, unit.name)
		}
	}
	return strconv.FormatUint(bytes, 10)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
