// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"context"
	"net"
	"sync/atomic"

	"google.golang.org/grpc/credentials"
)

const (
	// frameHeader is the length of the header of a frame of HTTP/2, which begins with the
	// length of the rest of the frame.
	frameHeader = 9
	// freeFrames is how many frames may be small, as the frames of small answers are.
	freeFrames = 10_000
)

// allowance is what may come in for one piece of work.
type allowance struct {
	// answer is the size of the largest answer.
	answer int
	// bytes is the size of everything that comes in.
	bytes int64
	// frame is how many bytes a frame has to have on average. gRPC keeps each frame until
	// the answer is complete, and a frame of one byte takes as much room as one of a
	// hundred.
	frame int64
}

// observing allows for three lists of a size.
func observing(size int) allowance { return allowance{size, int64(4 * size), 256} }

// acting allows for as many lists as a verb has time for.
func acting(size int) allowance { return allowance{size, 1 << 30, 256} }

// askingForTasks allows for the data of all tasks of a session. Each task may come in a
// frame of its own, with the header of the frame and at least the five bytes of gRPC's.
var askingForTasks = allowance{smallAnswer, 1 << 30, frameHeader + 5}

// meter stops the connections of one piece of work when more comes in than is allowed. The
// meter looks at what gRPC does not bound: how an answer is cut into frames, and what comes
// in that is no answer.
type meter struct {
	allowance
	read, frames atomic.Int64
	flooded      atomic.Bool
}

// take counts what came in, and reports whether it was allowed.
func (m *meter) take(bytes, frames int64) bool {
	read, seen := m.read.Add(bytes), m.frames.Add(frames)
	if read > m.bytes || seen > freeFrames+read/m.frame {
		m.flooded.Store(true)
	}
	return !m.flooded.Load()
}

// metered are credentials whose connections are metered, after decryption.
type metered struct {
	credentials.TransportCredentials
	meter *meter
}

// ClientHandshake does what the credentials do, and meters the connection.
func (c metered) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	connection, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		return nil, nil, err
	}
	return &meteredConn{Conn: connection, meter: c.meter}, info, nil
}

// Clone returns a copy that shares the meter.
func (c metered) Clone() credentials.TransportCredentials {
	return metered{c.TransportCredentials.Clone(), c.meter}
}

// meteredConn is a connection whose frames are counted.
type meteredConn struct {
	net.Conn
	meter *meter
	// header is as much as is known of the header of the next frame, which begins after
	// rest bytes.
	header []byte
	rest   int
}

// Read reads as long as what comes in is allowed.
func (c *meteredConn) Read(into []byte) (int, error) {
	n, err := c.Conn.Read(into)
	if !c.meter.take(int64(n), c.framesIn(into[:n])) {
		return 0, errFlood
	}
	return n, err
}

// framesIn counts the frames whose headers end in a piece of what came in.
func (c *meteredConn) framesIn(piece []byte) (frames int64) {
	for len(piece) > 0 {
		if c.rest > 0 {
			inside := min(c.rest, len(piece))
			c.rest -= inside
			piece = piece[inside:]
			continue
		}
		missing := min(frameHeader-len(c.header), len(piece))
		c.header = append(c.header, piece[:missing]...)
		piece = piece[missing:]
		if len(c.header) == frameHeader {
			c.rest = int(c.header[0])<<16 | int(c.header[1])<<8 | int(c.header[2])
			c.header = c.header[:0]
			frames++
		}
	}
	return frames
}
