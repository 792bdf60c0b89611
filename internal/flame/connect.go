// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

const (
	// connectTimeout is how long one connection may take to be made. An address
	// whose packets are swallowed, as a Service's is for a moment after its pod
	// has gone, is tried no longer than that.
	connectTimeout = 5 * time.Second
	// observeTimeout bounds an observation. To list sessions, Flame clones all of
	// them and their tasks: with ten thousand sessions that takes seconds.
	observeTimeout = 15 * time.Second
	// verbTimeout bounds a verb with all its calls. They are small and take
	// milliseconds; a reconciler waits for them.
	verbTimeout = 5 * time.Second
	// receiveLimit is the size of the largest answer. The list of sessions has
	// each one's common data, and exceeds gRPC's 4 MiB with ten thousand of them.
	receiveLimit = 256 << 20
)

// Target is where a session manager is, comparable with ==.
type Target struct {
	// UID is the FlameCluster's, so that one made anew under the name of another
	// does not inherit what was known of that.
	UID string
	// Frontend and Backend are the addresses of its two ports, host:port.
	Frontend, Backend string
	// CA is a bundle of certificates in PEM that the server's has to chain to; its
	// name has to be the host of the address. Without one the connection is not
	// encrypted, as Flame's is by default. Flame knows no client certificates.
	CA string
}

// Dialer makes a connection to an address, host:port.
type Dialer func(ctx context.Context, address string) (net.Conn, error)

// Client speaks with one session manager. It holds no connection: each
// observation and each verb makes its own. So a cluster at rest costs nothing,
// and no connection stands to a pod that was replaced.
type Client struct {
	target  Target
	options []grpc.DialOption
	now     func() time.Time
}

// NewClient returns a client. Without a dialer it dials TCP. It fails only if
// the target's CA cannot be read.
func NewClient(target Target, dial Dialer, now func() time.Time) (*Client, error) {
	transport := insecure.NewCredentials()
	if target.CA != "" {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(target.CA)) {
			return nil, errors.New("read the CA of the session manager: it holds no certificate")
		}
		transport = credentials.NewTLS(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})
	}
	if dial == nil {
		dial = func(ctx context.Context, address string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		}
	}
	return &Client{target: target, now: now, options: []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithContextDialer(dial),
		grpc.WithNoProxy(), // OpenShift gives operators the cluster's proxy, which leads out of it.
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(receiveLimit)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: connectTimeout}),
		grpc.WithDisableServiceConfig(),
	}}, nil
}

// ports are the clients of the two services, for one piece of work.
type ports struct {
	frontend flamev1.FrontendClient
	backend  flamev1.BackendClient
}

// with does a piece of work over connections of its own, which are made when
// they are needed first, within a time.
func (c *Client) with(ctx context.Context, timeout time.Duration, work func(context.Context, ports) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	// The dialer resolves the host at each try, which gRPC would do every 30 s at most.
	frontend, err := grpc.NewClient("passthrough:///"+c.target.Frontend, c.options...)
	if err != nil {
		return fmt.Errorf("connect to %q: %w", c.target.Frontend, err)
	}
	defer func() { _ = frontend.Close() }()
	backend, err := grpc.NewClient("passthrough:///"+c.target.Backend, c.options...)
	if err != nil {
		return fmt.Errorf("connect to %q: %w", c.target.Backend, err)
	}
	defer func() { _ = backend.Close() }()
	return work(ctx, ports{flamev1.NewFrontendClient(frontend), flamev1.NewBackendClient(backend)})
}

// failed says what a call was to do and why it failed.
func failed(err error, format string, arguments ...any) error {
	why, code := observation.ErrAnswer, status.Code(err)
	switch {
	case code == codes.Unavailable:
		why = observation.ErrUnreachable
	case code == codes.DeadlineExceeded || errors.Is(err, context.DeadlineExceeded):
		why = observation.ErrTimeout
	case code == codes.Canceled:
		why = context.Canceled
	}
	return fmt.Errorf(format+": %w: %w", append(arguments, why, err)...)
}

// answered turns the answer of a call of the backend, which may report an error
// in a call that succeeded, into an error.
func answered(result *flamev1.Result, err error, format string, arguments ...any) error {
	switch {
	case err != nil:
		return failed(err, format, arguments...)
	case result.GetReturnCode() != 0:
		return failed(fmt.Errorf("return code %d: %s", result.GetReturnCode(), result.GetMessage()), format, arguments...)
	default:
		return nil
	}
}
