// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// PullProxy is where containerd finds the way to registries. The network of a
// node leads nowhere else, and needs no forwarding or address translation on
// the host for that: this proxy listens inside and connects from outside.
const PullProxy = "127.0.0.1:3128"

// dialer connects to an address.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// servePulls serves PullProxy in the node's network, through the network host.
func servePulls(host *os.File) error {
	listener, err := net.Listen("tcp", PullProxy)
	if err != nil {
		return err
	}
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		return dialIn(ctx, host, network, address)
	}}
	proxy := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: tunnel(func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialResolved(ctx, resolver, host, network, address)
		}),
	}
	go func() { fmt.Println("the proxy for pulls ended:", proxy.Serve(listener)) }()
	return nil
}

// dialResolved looks the name up first: inside dialIn, the lookup would
// happen on a thread that is in another network.
func dialResolved(ctx context.Context, resolver *net.Resolver, host *os.File, network, address string) (net.Conn, error) {
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	found, err := resolver.LookupHost(ctx, name)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, ip := range found {
		conn, err := dialIn(ctx, host, network, net.JoinHostPort(ip, port))
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// tunnel answers CONNECT, which is all that a registry over HTTPS takes.
func tunnel(dial dialer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "this proxy only knows CONNECT", http.StatusMethodNotAllowed)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
		defer cancel()
		out, err := dial(ctx, "tcp", r.Host)
		if err != nil {
			// Clients show the status and nothing else, so it has to be in the node's log.
			fmt.Printf("%s connect to %s for a pull: %v\n", time.Now().Format(time.TimeOnly), r.Host, err)
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer out.Close() //nolint:errcheck // The tunnel is over.
		w.WriteHeader(http.StatusOK)
		in, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer in.Close() //nolint:errcheck // The tunnel is over.
		join(in, buffered, out)
	})
}

// join copies both ways until both sides are done.
func join(in net.Conn, buffered io.Reader, out net.Conn) {
	closeWrite := func(conn net.Conn) {
		if half, can := conn.(interface{ CloseWrite() error }); can {
			_ = half.CloseWrite()
		}
	}
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(out, buffered); closeWrite(out) })
	both.Go(func() { _, _ = io.Copy(in, out); closeWrite(in) })
	both.Wait()
}

// keepResolvConf returns a function that puts the host's name servers back
// where /etc/resolv.conf points to, if an empty /run has hidden them.
func keepResolvConf() func() error {
	const file = "/etc/resolv.conf"
	content, readErr := os.ReadFile(file)
	target, linkErr := filepath.EvalSymlinks(file)
	return func() error {
		if _, err := os.Stat(file); err == nil || readErr != nil || linkErr != nil {
			return nil
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o644)
	}
}
