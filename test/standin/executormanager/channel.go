// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package executormanager

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/standin/config"
)

// patience is longer than any kernel tries to connect: only TCP itself gives up.
const patience = time.Hour

// channel is the one connection to the session manager's backend. A channel connects when
// a call needs it, waits as long as TCP does, and neither retries by itself nor looks
// after a connection that is silent.
type channel struct {
	target  string
	options []grpc.DialOption

	mu         sync.Mutex
	connection *grpc.ClientConn
}

func newChannel(cluster config.Cluster) (*channel, error) {
	scheme, host, port, err := config.Endpoint(cluster.Endpoint, config.DefaultPort)
	if err != nil {
		return nil, err
	}
	creds, err := transport(scheme, host, cluster.TLS)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{KeepAlive: -1}
	c := &channel{
		target: "passthrough:///" + net.JoinHostPort(host, strconv.Itoa(port+1)),
		options: []grpc.DialOption{
			grpc.WithTransportCredentials(creds),
			grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
				return dialer.DialContext(ctx, "tcp", address)
			}),
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: patience, MaxDelay: patience},
				MinConnectTimeout: patience,
			}),
			grpc.WithIdleTimeout(0),
			grpc.WithDisableServiceConfig(),
		},
	}
	c.connection, err = grpc.NewClient(c.target, c.options...)
	return c, err
}

func transport(scheme, host string, files *config.TLS) (credentials.TransportCredentials, error) {
	if scheme != "https" {
		return insecure.NewCredentials(), nil
	}
	// Without a CA file nothing is trusted: Flame has no other roots.
	roots := x509.NewCertPool()
	if files != nil && files.CAFile != "" {
		pem, err := os.ReadFile(files.CAFile)
		if err != nil {
			return nil, fmt.Errorf("InvalidConfig(%q)", err.Error())
		}
		roots.AppendCertsFromPEM(pem)
	}
	return credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12}), nil
}

// connect makes the first connection. If it is refused, that is the end; if it
// is swallowed, connect hangs as long as TCP does.
func (c *channel) connect(ctx context.Context) error {
	c.connection.Connect()
	for {
		state := c.connection.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.TransientFailure, connectivity.Shutdown:
			return fmt.Errorf("Network(%q)", fmt.Sprintf("Failed to connect to <%s>", c.target))
		}
		if !c.connection.WaitForStateChange(ctx, state) {
			return ctx.Err()
		}
	}
}

func (c *channel) current() *grpc.ClientConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.connection
}

func (c *channel) backend() flamev1.BackendClient { return flamev1.NewBackendClient(c) }

// Invoke implements grpc.ClientConnInterface.
func (c *channel) Invoke(ctx context.Context, method string, args, reply any, options ...grpc.CallOption) error {
	connection := c.current()
	err := connection.Invoke(ctx, method, args, reply, options...)
	c.replace(connection, err)
	return err
}

// NewStream implements grpc.ClientConnInterface.
func (c *channel) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, options ...grpc.CallOption) (grpc.ClientStream, error) {
	connection := c.current()
	stream, err := connection.NewStream(ctx, desc, method, options...)
	c.replace(connection, err)
	return stream, err
}

// replace lets the next call try anew after a connection attempt has failed.
func (c *channel) replace(failed *grpc.ClientConn, err error) {
	if status.Code(err) != codes.Unavailable || failed.GetState() != connectivity.TransientFailure {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.connection != failed {
		return
	}
	if fresh, err := grpc.NewClient(c.target, c.options...); err == nil {
		c.connection = fresh
		_ = failed.Close()
	}
}
