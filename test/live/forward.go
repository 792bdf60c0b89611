// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
)

// forwardTo returns a dialer for a port of a pod, through the API server. Each
// dial finds the pod anew, so that a client outlives a pod.
func (k *Kubernetes) forwardTo(namespace, pod string, port int32) func(context.Context, string) (net.Conn, error) {
	return func(context.Context, string) (net.Conn, error) {
		request := k.Set.CoreV1().RESTClient().Get().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward")
		dialer, err := portforward.NewSPDYOverWebsocketDialerForStreaming(request.URL(), k.Config)
		if err != nil {
			return nil, err
		}
		connection, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
		if err != nil {
			return nil, err
		}
		forwarded, err := forward(connection, port)
		if err != nil {
			_ = connection.Close()
			return nil, fmt.Errorf("forward port %d of pod %s: %w", port, pod, err)
		}
		return forwarded, nil
	}
}

// forward opens the two streams that make up a forwarded port. The kubelet says
// on the first why the second does not work; then the connection is closed.
func forward(connection httpstream.Connection, port int32) (net.Conn, error) {
	headers := http.Header{}
	headers.Set(corev1.PortHeader, strconv.Itoa(int(port)))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	failure, err := connection.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	_ = failure.Close() // Nothing is written to it.
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := connection.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	go func() {
		if text, err := io.ReadAll(failure); err != nil || len(text) > 0 {
			_ = connection.Close()
		}
	}()
	return forwardedConn{Stream: data, connection: connection}, nil
}

// forwardedConn is a stream as a net.Conn. Deadlines and addresses are missing, since
// gRPC does without them.
type forwardedConn struct {
	httpstream.Stream
	connection httpstream.Connection
}

func (c forwardedConn) Close() error {
	_ = c.Reset()
	return c.connection.Close()
}

func (forwardedConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (forwardedConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (forwardedConn) SetDeadline(time.Time) error      { return nil }
func (forwardedConn) SetReadDeadline(time.Time) error  { return nil }
func (forwardedConn) SetWriteDeadline(time.Time) error { return nil }
