// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

// codec sends messages as gRPC does, and has answers read by a function.
type codec struct{ encoding.CodecV2 }

var asProto = codec{encoding.GetCodecV2(grpcproto.Name)}

// reading reads an answer and keeps the error, since gRPC keeps only its text.
type reading struct {
	read func(m *message) error
	err  error
	// size is the size of the answer.
	size int
}

// Unmarshal reads an answer.
func (c codec) Unmarshal(data mem.BufferSlice, into any) error {
	r, ours := into.(*reading)
	if !ours {
		return c.CodecV2.Unmarshal(data, into)
	}
	from := data.Reader()
	defer func() { _ = from.Close() }()
	r.size = from.Remaining()
	r.err = r.read(&message{from: from, left: r.size})
	return r.err
}

// message is a message of an answer, or a part of one, that is read from the buffers in
// which it came in. Fields that nobody asks for are passed over, such as a session's common
// data, which may be most of an answer. The generated types would hold the data, and for
// entries of a few bytes would take a hundred times as much as came in.
type message struct {
	from *mem.Reader
	left int
}

// field is a field of a message: a number, or a part.
type field struct {
	message
	number protowire.Number
	value  uint64
}

// each has a function look at every field of a message, and passes over what the function
// leaves of it.
func (m *message) each(look func(f *field) error) error {
	var f field // One for all: a hostile message has millions.
	for m.left > 0 {
		var err error
		if f, err = m.next(); err != nil {
			return err
		}
		if err := look(&f); err != nil {
			return err
		}
		if _, err := f.from.Discard(f.left); err != nil {
			return errUnreadable
		}
	}
	return nil
}

func (m *message) next() (field, error) {
	tag, err := binary.ReadUvarint(m)
	number, kind := protowire.DecodeTag(tag)
	f, length := field{message: message{from: m.from}, number: number}, uint64(0)
	switch {
	case err != nil || !number.IsValid():
		return f, errUnreadable
	case kind == protowire.VarintType:
		f.value, err = binary.ReadUvarint(m)
	case kind == protowire.BytesType:
		length, err = binary.ReadUvarint(m)
	case kind == protowire.Fixed32Type:
		length = 4
	case kind == protowire.Fixed64Type:
		length = 8
	default:
		return f, errUnreadable
	}
	if err != nil || length > uint64(m.left) {
		return f, errUnreadable
	}
	f.left = int(length)
	m.left -= f.left
	return f, nil
}

// ReadByte reads a byte of a message.
func (m *message) ReadByte() (byte, error) {
	if m.left == 0 {
		return 0, io.EOF
	}
	m.left--
	return m.from.ReadByte()
}

// fill reads from a part until a buffer is full or nothing is left.
func (f *field) fill(buffer []byte) []byte {
	read, _ := io.ReadFull(f.from, buffer[:min(f.left, len(buffer))])
	f.left -= read
	return buffer[:read]
}

// inside returns a message of bytes that were read before.
func inside(raw []byte) *message {
	return &message{from: mem.BufferSlice{mem.SliceBuffer(raw)}.Reader(), left: len(raw)}
}

// decode makes the bytes that were read of a part into a generated type, if they are all of
// it.
func (f *field) decode(raw []byte, into proto.Message) error {
	if f.left > 0 || proto.Unmarshal(raw, into) != nil {
		return errUnreadable
	}
	return nil
}

// name reads the name of something that is acted on, which has to be whole.
func (f *field) name() (string, error) {
	if f.left > nameSize {
		return "", &observation.TooLarge{What: fmt.Sprintf("one of its names has more than %d bytes", nameSize), Cure: "give sessions shorter IDs"}
	}
	var buffer [nameSize]byte
	read := f.fill(buffer[:])
	if !utf8.Valid(read) {
		return "", errUnreadable
	}
	return string(read), nil
}

// text reads what only people read, and no more of it than the length of a name.
func (f *field) text() string {
	var buffer [nameSize]byte
	return strings.ToValidUTF8(string(f.fill(buffer[:])), "")
}
