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
	// connectTimeout is how long one connection may take to be made. An address that
	// swallows packets, as that of a Service does for a moment after its pod has gone, is
	// tried no longer.
	connectTimeout = 5 * time.Second
	// observeTimeout bounds an observation. To list sessions, Flame clones all of them and
	// their tasks, which takes seconds for ten thousand sessions.
	observeTimeout = 15 * time.Second
	// verbTimeout bounds a verb with all its calls. The calls are small and take
	// milliseconds; a reconciler waits for them.
	verbTimeout = 5 * time.Second
	// window is how much may come in before anybody reads it. gRPC does not enlarge a
	// window that is set.
	window = 64 << 10
	// headerSize is the size of the largest header and trailer. A trailer has the text of
	// an error.
	headerSize = 16 << 10
)

// Target is where a session manager is, comparable with ==.
type Target struct {
	// UID is that of the FlameCluster, so that a new cluster does not inherit what was
	// known of an old one of its name.
	UID string
	// Frontend and Backend are the addresses of the two ports, host:port.
	Frontend, Backend string
	// CA is a bundle of certificates in PEM. The certificate of the server has to chain to
	// one of them and to name the host of the address. Without a CA the connection is not
	// encrypted, which is Flame's default. Flame knows no client certificates.
	CA string
}

// Dialer makes a connection to an address, host:port.
type Dialer func(ctx context.Context, address string) (net.Conn, error)

// Client speaks with one session manager. Each observation and each verb makes its own
// connection, so that a cluster at rest costs nothing, and no connection stands to a pod
// that was replaced.
type Client struct {
	target    Target
	transport credentials.TransportCredentials
	options   []grpc.DialOption
	now       func() time.Time
	// room is how many bytes the answers that are larger than small may take together.
	room *semaphore.Weighted
}

// NewClient returns a client, which dials TCP without a dialer. NewClient fails only if the
// CA of the target cannot be read.
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

// with does what a verb does, and again with more room as long as an answer needs more.
// Repeating what was done before is safe.
func (c *Client) with(ctx context.Context, work func(context.Context, ports) error) error {
	ctx, cancel := context.WithTimeout(ctx, verbTimeout)
	defer cancel()
	err := c.within(ctx, acting(smallAnswer), work)
	for more := (*outgrown)(nil); errors.As(err, &more); {
		err = c.withRoom(ctx, roomFor(more.size), work)
	}
	return err
}

// withRoom does a piece of work as soon as the answers that are being read leave room for
// answers of a size.
func (c *Client) withRoom(ctx context.Context, size int, work func(context.Context, ports) error) error {
	if err := c.room.Acquire(ctx, int64(size)); err != nil {
		return failed(err, "wait for room for the answers of Flame")
	}
	defer c.room.Release(int64(size))
	return c.within(ctx, acting(size), work)
}

// within does a piece of work over connections of its own, which are made when they are
// first needed, and bounds what may come in.
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

// judge returns why an answer was not read, and nil if it was.
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

// failed returns an error that says what a call was to do and why it failed.
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

// answered returns the error of a call of the backend, which may report one in a call that
// succeeded.
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
