// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flametest

import (
	"fmt"
	"net"
	"path"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/test/bufconn"
)

// Answer answers a call of a method: with messages as they are on the wire, which it sends
// by SendMsg as []byte, and an error.
type Answer func(method string, stream grpc.ServerStream) error

// ServeRaw starts a server that all the given hosts lead to, and that answers anything, as
// may any image that is named as session manager.
func (n *Network) ServeRaw(answer Answer, hosts ...string) {
	handle := func(_ any, stream grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(stream)
		if err := stream.RecvMsg(new([]byte)); err != nil {
			return fmt.Errorf("receive a request: %w", err)
		}
		return answer(path.Base(method), stream)
	}
	listener := n.listen(grpc.NewServer(grpc.UnknownServiceHandler(handle), grpc.ForceServerCodecV2(raw{encoding.GetCodecV2(proto.Name)})))
	n.lead(hosts, listener, listener)
}

// ServeConnections has a function serve each connection to the given hosts, byte by byte.
// The function has to return when the connection is closed.
func (n *Network) ServeConnections(serve func(net.Conn), hosts ...string) {
	listener := bufconn.Listen(64 << 10)
	var group sync.WaitGroup
	group.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() { serve(connection) })
		}
	})
	n.tb.Cleanup(func() {
		_ = listener.Close()
		group.Wait()
	})
	n.lead(hosts, listener, listener)
}

// raw leaves messages as they are.
type raw struct{ encoding.CodecV2 }

// Marshal takes a []byte.
func (raw) Marshal(message any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(message.([]byte))}, nil
}

// Unmarshal takes a *[]byte.
func (raw) Unmarshal(data mem.BufferSlice, into any) error {
	*into.(*[]byte) = data.Materialize()
	return nil
}
