// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package executormanager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/standin/pace"
)

const (
	heartbeatInterval = 5 * time.Second
	// silence is how long the session manager may say nothing.
	silence           = 30 * time.Second
	reconnectInterval = time.Second
	reconnectLimit    = 30 * time.Second
)

// keepStream registers the node and keeps its stream, for as long as the process
// lives. The delay before the next try doubles each time, and is reset only by a
// stream that the session manager ended in good order.
func (m *manager) keepStream(ctx context.Context) {
	delay := reconnectInterval
	for ctx.Err() == nil {
		if err := m.stream(ctx); err != nil {
			m.log.Warnf("stream_handler", "WatchNode stream error for node <%s>: %v. Reconnecting in %s", m.node, err, delay)
		} else {
			delay = reconnectInterval
			m.log.Infof("stream_handler", "WatchNode stream closed gracefully for node <%s>", m.node)
		}
		time.Sleep(pace.Of(delay))
		delay = min(2*delay, reconnectLimit)
	}
}

// stream is one stream: it returns nil if the session manager ended it.
func (m *manager) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	executors, release := m.reported()
	defer release()
	m.log.Infof("stream_handler", "Registering node <%s> with %d executors for state alignment", m.node, len(executors))
	node := &flamev1.Node{
		Metadata: &flamev1.Metadata{Id: m.node, Name: m.node},
		Spec:     &flamev1.NodeSpec{Hostname: m.node},
		Status:   m.status(),
	}
	if _, err := m.backend.RegisterNode(ctx, &flamev1.RegisterNodeRequest{Node: node, Executors: executors}); err != nil {
		return err
	}
	stream, err := m.backend.WatchNode(ctx)
	if err != nil {
		return err
	}
	m.log.Infof("stream_handler", "WatchNode: Starting stream for node <%s>", m.node)
	go func() {
		ticker := time.NewTicker(pace.Of(heartbeatInterval))
		defer ticker.Stop()
		for {
			heartbeat := &flamev1.NodeHeartbeat{NodeName: m.node, Status: m.status()}
			if stream.Send(&flamev1.WatchNodeRequest{Heartbeat: heartbeat}) != nil {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}()
	return m.receive(stream, cancel)
}

func (m *manager) receive(stream flamev1.Backend_WatchNodeClient, cancel func()) error {
	limit := pace.Of(silence)
	watchdog := time.AfterFunc(limit, cancel)
	defer watchdog.Stop()
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("stream: %w", err)
		}
		watchdog.Reset(limit)
		if executor := response.GetExecutor(); executor != nil {
			m.update(executor)
		}
	}
}
