// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package sessionmanager stands in for flame-session-manager: it takes sessions
// and tasks from clients on port P, and gives them to the executors of the
// nodes that register on port P+1.
package sessionmanager

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/standin/config"
	"github.com/xflops/flame-operator/test/standin/journal"
)

// Run is the session manager. Run returns an error only before it has started: whatever
// ends it later, be it an unknown policy or a port in use, is logged, and the process
// ends with success.
func Run(ctx context.Context, file *config.File, log *journal.Log) error {
	log.Infof("", "flame-session-manager is starting ...")
	state, err := Open(file.Cluster, log)
	if err != nil {
		return err
	}
	threads := []func(context.Context) error{
		func(ctx context.Context) error {
			return state.serve(ctx, "frontend", 0, func(server *grpc.Server) {
				flamev1.RegisterFrontendServer(server, &frontend{state: state})
			})
		},
		func(ctx context.Context) error {
			return state.serve(ctx, "backend", 1, func(server *grpc.Server) {
				flamev1.RegisterBackendServer(server, &backend{state: state})
			})
		},
		state.schedule,
	}
	type end struct {
		thread int
		err    error
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ends := make(chan end, len(threads))
	for i, thread := range threads {
		go func() { ends <- end{i, thread(ctx)} }()
	}
	log.Infof("", "flame-session-manager started.")
	go state.registerDefaults()

	first := <-ends
	log.Infof("", "Thread <%d> exited with result: Ok(Err(%v))", first.thread, first.err)
	return nil
}

// serve listens on all IPv4 addresses, on the endpoint's port plus an offset.
func (s *State) serve(ctx context.Context, name string, offset int, register func(*grpc.Server)) error {
	_, _, port, err := config.Endpoint(s.cluster.Endpoint, config.DefaultPort)
	if err != nil {
		return err
	}
	address := fmt.Sprintf("0.0.0.0:%d", port+offset)
	s.log.Infof("apiserver", "Listening apiserver %s at %s", name, address)
	var options []grpc.ServerOption
	if s.cluster.TLS != nil {
		tls, err := credentials.NewServerTLSFromFile(s.cluster.TLS.CertFile, s.cluster.TLS.KeyFile)
		if err != nil {
			return fmt.Errorf("InvalidConfig(%q)", err.Error())
		}
		options = append(options, grpc.Creds(tls))
	}
	listener, err := net.Listen("tcp4", address)
	if err != nil {
		return fmt.Errorf("Network(%q)", err.Error())
	}
	server := grpc.NewServer(options...)
	register(server)
	context.AfterFunc(ctx, server.Stop)
	return server.Serve(listener)
}
