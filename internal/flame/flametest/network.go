// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package flametest fakes session managers in memory, for tests of their clients. A fake
// lists what it is given, changes that as Flame does when a node registers, drains or is
// forgotten, and notes which calls asked for it. A fake can refuse, hang or be slow. Fakes
// schedule nothing and keep no times; test/standin does.
package flametest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/naming"
)

// Network is where the fakes are reached.
type Network struct {
	tb    testing.TB
	mu    sync.Mutex
	ports map[string]*bufconn.Listener
}

// NewNetwork returns a network without servers, which lasts as long as the test.
func NewNetwork(tb testing.TB) *Network {
	return &Network{tb: tb, ports: map[string]*bufconn.Listener{}}
}

// Dial connects to a fake by its host and port, as a flame.Dialer does.
func (n *Network) Dial(ctx context.Context, address string) (net.Conn, error) {
	n.mu.Lock()
	listener := n.ports[address]
	n.mu.Unlock()
	if listener == nil {
		return nil, fmt.Errorf("dial %s: connection refused", address)
	}
	return listener.DialContext(ctx)
}

// Serve starts a fake that all the given hosts lead to, at the ports that clusters have.
func (n *Network) Serve(hosts ...string) *Server {
	return n.serve(insecure.NewCredentials(), hosts)
}

// ServeTLS starts a fake that proves its identity, and encrypts.
func (n *Network) ServeTLS(certificate *tls.Certificate, hosts ...string) *Server {
	return n.serve(credentials.NewServerTLSFromCert(certificate), hosts)
}

func (n *Network) serve(transport credentials.TransportCredentials, hosts []string) *Server {
	s := newServer()
	port := func() *grpc.Server {
		return grpc.NewServer(grpc.Creds(transport), grpc.UnaryInterceptor(s.unary), grpc.StreamInterceptor(s.stream))
	}
	front, back := port(), port()
	flamev1.RegisterFrontendServer(front, &frontend{server: s})
	flamev1.RegisterBackendServer(back, &backend{server: s})
	n.lead(hosts, n.listen(front), n.listen(back))
	return s
}

// lead has hosts lead to listeners at the ports that clusters have.
func (n *Network) lead(hosts []string, frontend, backend *bufconn.Listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, host := range hosts {
		n.ports[fmt.Sprintf("%s:%d", host, naming.FrontendPort)] = frontend
		n.ports[fmt.Sprintf("%s:%d", host, naming.BackendPort)] = backend
	}
}

func (n *Network) listen(server *grpc.Server) *bufconn.Listener {
	listener := bufconn.Listen(64 << 10)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	n.tb.Cleanup(func() {
		server.Stop()
		<-served
	})
	return listener
}
