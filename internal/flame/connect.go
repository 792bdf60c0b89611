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
	"slices"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

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
	// window is how much may come in that nobody has begun to read. As it is set,
	// gRPC does not enlarge it.
	window = 64 << 10
	// headerSize is the size of the largest header and trailer. The latter has the
	// words of an error.
	headerSize = 16 << 10
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
	target    Target
	transport credentials.TransportCredentials
	options   []grpc.DialOption
	now       func() time.Time
	// room is what all answers together may take that are larger than small, in bytes.
	room *semaphore.Weighted
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
	return &Client{target: target, transport: transport, now: now, room: semaphore.NewWeighted(largestAnswer), options: []grpc.DialOption{
		grpc.WithContextDialer(dial),
		grpc.WithNoProxy(), // OpenShift gives operators the cluster's proxy, which leads out of it.
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(asProto), grpc.MaxCallRecvMsgSize(resultAnswer)),
		grpc.WithStaticStreamWindowSize(window),
		grpc.WithStaticConnWindowSize(window),
		grpc.WithMaxHeaderListSize(headerSize),
		// A pool would have buffers four times as large as what is put into them.
		experimental.WithBufferPool(mem.NopBufferPool{}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: connectTimeout}),
		grpc.WithDisableServiceConfig(),
	}}, nil
}

// with does what a verb does, and again with more room as long as an answer needs it.
// What it had done before that is safe to be done again.
func (c *Client) with(ctx context.Context, work func(context.Context, ports) error) error {
	ctx, cancel := context.WithTimeout(ctx, verbTimeout)
	defer cancel()
	err := c.within(ctx, acting(smallAnswer), work)
	for more := (*outgrown)(nil); errors.As(err, &more); {
		err = c.withRoom(ctx, roomFor(more.size), work)
	}
	return err
}

// withRoom does a piece of work once what is read at the same time leaves room for
// answers of a size.
func (c *Client) withRoom(ctx context.Context, size int, work func(context.Context, ports) error) error {
	if err := c.room.Acquire(ctx, int64(size)); err != nil {
		return failed(err, "wait for room for the answers of Flame")
	}
	defer c.room.Release(int64(size))
	return c.within(ctx, acting(size), work)
}

// within does a piece of work over connections of its own, which are made when they are
// needed first, with what may come in for it.
func (c *Client) within(ctx context.Context, allowed allowance, work func(context.Context, ports) error) error {
	meter := &meter{allowance: allowed}
	options := append(slices.Clone(c.options), grpc.WithTransportCredentials(metered{c.transport, meter}))
	// The dialer resolves the host at each try, which gRPC would do every 30 s at most.
	frontend, err := grpc.NewClient("passthrough:///"+c.target.Frontend, options...)
	if err != nil {
		return fmt.Errorf("connect to %q: %w", c.target.Frontend, err)
	}
	defer func() { _ = frontend.Close() }()
	backend, err := grpc.NewClient("passthrough:///"+c.target.Backend, options...)
	if err != nil {
		return fmt.Errorf("connect to %q: %w", c.target.Backend, err)
	}
	defer func() { _ = backend.Close() }()
	err = work(ctx, ports{frontend, flamev1.NewBackendClient(backend), allowed.answer, newKept(allowed.answer)})
	if err != nil && meter.flooded.Load() {
		return failed(errFlood, "ask Flame")
	}
	return err
}

// ports are the two services, for one piece of work.
type ports struct {
	frontend grpc.ClientConnInterface
	backend  flamev1.BackendClient
	// limit is the size of the largest answer.
	limit int
	kept  *kept
}

// get calls a method of the frontend and has its answer read.
func (p ports) get(ctx context.Context, what subject, method string, request proto.Message, read func(*message) error) error {
	answer := &reading{read: read}
	err := p.frontend.Invoke(ctx, method, request, answer, grpc.MaxCallRecvMsgSize(p.limit))
	p.kept.largest = max(p.kept.largest, answer.size)
	return p.judge(what, answer, err)
}

// judge returns why an answer was not read, if it was not.
func (p ports) judge(what subject, answer *reading, err error) error {
	size, announced := sizeOf(err)
	switch {
	case announced && size > p.limit: // Otherwise it is Flame that says so.
		return what.tooLong(size)
	case errors.Is(answer.err, errTooMany):
		return tooMany(p.limit)
	case answer.err != nil:
		return answer.err
	default:
		return err
	}
}

// failed says what a call was to do and why it failed.
func failed(err error, format string, arguments ...any) error {
	why, code := observation.ErrAnswer, status.Code(err)
	switch {
	case errors.Is(err, observation.ErrTooLarge) || errors.Is(err, errOutgrown):
		return fmt.Errorf(format+": %w", append(arguments, err)...)
	case code == codes.Unavailable:
		why = observation.ErrUnreachable
	case code == codes.DeadlineExceeded || errors.Is(err, context.DeadlineExceeded):
		why = observation.ErrTimeout
	case code == codes.Canceled || errors.Is(err, context.Canceled):
		why = context.Canceled
	}
	return fmt.Errorf(format+": %w: %s", append(arguments, why, words(err))...)
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
