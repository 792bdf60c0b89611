// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/flame"
	"github.com/xflops/flame-operator/internal/flame/flametest"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// Types and flags of HTTP/2's frames.
const (
	dataFrame, headersFrame, settingsFrame, pingFrame = 0, 1, 4, 6
	endHeaders                                        = 4
)

// frame returns a frame of the only stream that there is, or of none.
func frame(kind, flags byte, payload []byte) []byte {
	stream := uint32(1)
	if kind == settingsFrame || kind == pingFrame {
		stream = 0
	}
	header := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	return append(binary.BigEndian.AppendUint32(append(header, flags), stream), payload...)
}

// answerOf begins an answer of gRPC with a length that it says it has.
func answerOf(length int) []byte {
	header := append([]byte{0x88, 0x0f, 0x10, 16}, "application/grpc"...) // :status: 200, content-type
	return append(frame(headersFrame, endHeaders, header), frame(dataFrame, 0, binary.BigEndian.AppendUint32([]byte{0}, uint32(length)))...)
}

// sending answers each first call of a connection with bytes, and then reads on.
func sending(answer ...[]byte) func(net.Conn) {
	return func(connection net.Conn) {
		defer func() { _ = connection.Close() }()
		go func() { // Writes wait for the other side, which writes first.
			_, _ = connection.Write(frame(settingsFrame, 0, nil))
		}()
		if awaitCall(connection) != nil {
			return
		}
		go func() {
			for _, part := range answer {
				if _, err := connection.Write(part); err != nil {
					return
				}
			}
		}()
		_, _ = io.Copy(io.Discard, connection)
	}
}

func awaitCall(connection io.Reader) error {
	preface := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	if _, err := io.ReadFull(connection, preface); err != nil {
		return err
	}
	for header := make([]byte, 9); ; {
		if _, err := io.ReadFull(connection, header); err != nil {
			return err
		}
		length := int64(binary.BigEndian.Uint32(header) >> 8)
		if _, err := io.CopyN(io.Discard, connection, length); err != nil || header[3] == headersFrame {
			return err
		}
	}
}

func TestFramesThatNoAnswerNeedsEndAConnection(t *testing.T) {
	ping := frame(pingFrame, 0, make([]byte, 8))
	for name, parts := range map[string][][]byte{
		"an answer in frames of a byte":    {answerOf(60_000), bytes.Repeat(frame(dataFrame, 0, []byte{0x7a}), 60_000)},
		"an answer in frames of nothing":   {answerOf(60_000), bytes.Repeat(frame(dataFrame, 0, nil), 100_000)},
		"frames that are no answer at all": {bytes.Repeat(ping, 100_000)},
		"large frames, but far too many":   {bytes.Repeat(frame(99, 0, make([]byte, 16<<10)), 5000)},
	} {
		t.Run(name, func(t *testing.T) {
			network := flametest.NewNetwork(t)
			network.ServeConnections(sending(parts...), "flame")
			client, err := flame.NewClient(target("flame"), network.Dial, time.Now)
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var observeErr error
			used := memory(func() { _, observeErr = client.Observe(ctx) })
			require.ErrorIs(t, observeErr, observation.ErrAnswer)
			assert.ErrorContains(t, observeErr, "it sends more than it was asked for")
			assert.Less(t, used, 50, "MiB")
		})
	}
}

// trickles answers with the beginning of a list that it says is as large as it may be.
func trickles() func(net.Conn) {
	return sending(answerOf(31*mebi), frame(dataFrame, 0, []byte{0x7a}))
}

func TestAnswersThatTrickleHoldUpNobodyWhoseAnswersAreSmall(t *testing.T) {
	w := newWorld(t)
	sound := w.observe("sound", idleNode)
	hosts := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"}
	w.network.ServeConnections(trickles(), hosts...)
	for _, host := range hosts {
		require.NoError(t, w.Ensure(named(host), target(host)))
	}
	for range 20 {
		before := sound.Observed()
		w.Wake(named("sound"))
		require.Eventually(t, func() bool { return sound.Observed() > before }, 2*time.Second, time.Millisecond)
		time.Sleep(10 * time.Millisecond)
	}
	for _, host := range hosts {
		assert.NoError(t, w.Latest(named(host)).Err, "one of them waits for the rest of its answer, and the others for that one")
	}
}

func TestAnAnswerThatTricklesHoldsUpOtherLargeOnesForAFewSeconds(t *testing.T) {
	w := newWorld(t)
	w.network.ServeConnections(trickles(), "trickles")
	w.network.ServeRaw(lists(sessionList(t, large("s"))), "large")
	require.NoError(t, w.Ensure(named("trickles"), target("trickles")))
	time.Sleep(100 * time.Millisecond)
	require.NoError(t, w.Ensure(named("large"), target("large")))
	w.eventually(func() bool { return w.Latest(named("large")).Known() }, "it is heard")
	w.eventually(func() bool { return w.Latest(named("trickles")).Err != nil }, "the other was given up")
	assert.ErrorIs(t, w.Latest(named("trickles")).Err, observation.ErrTimeout)
}
