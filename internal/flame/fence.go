// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// drainCheck is how often a fence checks whether the node drains.
const drainCheck = 20 * time.Millisecond

// Fence keeps Flame from using a node whose process is gone, and lets Flame give up the
// node 30 s later: its executors are deleted, their tasks are pending again, and the node
// is NotReady. Without a fence Flame puts an executor on the dead node that starves its
// session for good. Fence also heals a node that holds such an executor, and a node that
// came back as Ready with a new session manager.
//
// The node is registered as one that has nothing, with the executors that Flame lists on
// it. The node's stream is opened, sends one heartbeat, and ends. Fence returns when Flame
// drains the node.
//
// Never fence a node whose process may be connected: its own stream would be drained with
// it, and the node would stay NotReady. Do not fence a node that drains: a second fence
// starts its 30 s anew.
//
// Flame workaround: fence
func (c *Client) Fence(ctx context.Context, node string) error {
	return c.with(ctx, func(ctx context.Context, flame ports) error {
		held, err := flame.held(ctx, node)
		if err != nil {
			return err
		}
		return flame.fence(ctx, node, held)
	})
}

// FenceSilent does what Fence does to a node whose process may live but has no connection.
// The process loses nothing: if it comes back, it registers and has its executors as
// before. For a Ready node that has something to give, FenceSilent returns ErrConnected,
// since the process came back meanwhile.
//
// Flame workaround: fence-silent
func (c *Client) FenceSilent(ctx context.Context, node string) error {
	return c.with(ctx, func(ctx context.Context, flame ports) error {
		known, held, err := flame.look(ctx, node)
		if err != nil {
			return err
		}
		if known.State == observation.Ready && !known.Silent() {
			return fmt.Errorf("fence node %q: %w", node, ErrConnected)
		}
		return flame.fence(ctx, node, held)
	})
}

func (p ports) fence(ctx context.Context, node string, held []*flamev1.Executor) error {
	if err := p.register(ctx, emptyNode(node), held); err != nil {
		return err
	}
	// Flame leaves its side of the stream open, so the stream has to be cut off, after
	// Flame has seen our side end.
	ctx, cut := context.WithCancel(ctx)
	defer cut()
	if err := p.beatOnce(ctx, node); err != nil {
		return err
	}
	return p.awaitDrain(ctx, node)
}

// Challenge has the process of a Ready node show that it is connected. The node is
// registered as it is, but with nothing to give, and the next heartbeat of the process, 5 s
// later at most, says what the node has. A node that stays silent has no stream: Flame
// waits 15 s for a heartbeat. Flame puts nothing new on the node meanwhile. For a node in
// another state Challenge returns ErrNotReady.
//
// Flame workaround: challenge
func (c *Client) Challenge(ctx context.Context, node string) error {
	return c.with(ctx, func(ctx context.Context, flame ports) error {
		known, held, err := flame.look(ctx, node)
		if err != nil {
			return err
		}
		if known.State != observation.Ready {
			return fmt.Errorf("challenge node %q: %w", node, ErrNotReady)
		}
		return flame.register(ctx, emptied(known.listed), held)
	})
}

// emptyNode returns a node that nothing fits on.
func emptyNode(name string) *flamev1.Node {
	return &flamev1.Node{
		Metadata: &flamev1.Metadata{Id: name, Name: name},
		Spec:     &flamev1.NodeSpec{Hostname: name},
		Status:   nothing(),
	}
}

// emptied returns a copy of a node that nothing more fits on.
func emptied(node *flamev1.Node) *flamev1.Node {
	empty := proto.CloneOf(node)
	empty.Status.Capacity, empty.Status.Allocatable = nothing().GetCapacity(), nothing().GetAllocatable()
	return empty
}

func nothing() *flamev1.NodeStatus {
	return &flamev1.NodeStatus{
		State:       flamev1.NodeState_NODE_STATE_READY,
		Capacity:    &flamev1.ResourceRequirement{},
		Allocatable: &flamev1.ResourceRequirement{},
		Info:        &flamev1.NodeInfo{},
	}
}

// beatOnce opens a node's stream, waits until Flame answers its heartbeat, and ends our
// side.
func (p ports) beatOnce(ctx context.Context, node string) error {
	stream, err := p.backend.WatchNode(ctx)
	if err != nil {
		return failed(err, "open the stream of node %q", node)
	}
	heartbeat := &flamev1.NodeHeartbeat{NodeName: node, Status: nothing()}
	// Recv returns the reason why the heartbeat cannot be sent.
	_ = stream.Send(&flamev1.WatchNodeRequest{Heartbeat: heartbeat})
	for {
		response, err := stream.Recv()
		if err != nil {
			return failed(err, "send a heartbeat of node %q", node)
		}
		if response.GetAck() != nil {
			break // What came before is executors for the node's process.
		}
	}
	if err := stream.CloseSend(); err != nil {
		return failed(err, "end the stream of node %q", node)
	}
	return nil
}

// awaitDrain waits until Flame no longer calls a node Ready.
func (p ports) awaitDrain(ctx context.Context, node string) error {
	check := time.NewTicker(drainCheck)
	defer check.Stop()
	for {
		known, err := p.node(ctx, node)
		if err != nil {
			return fmt.Errorf("wait for node %q to drain: %w", node, err)
		}
		if known.State != observation.Ready {
			return nil
		}
		select {
		case <-check.C:
		case <-ctx.Done():
			return failed(ctx.Err(), "wait for node %q to drain", node)
		}
	}
}

// node is what is known of a node, and the node as Flame lists it, since Flame gets it
// back. Both are empty if Flame does not list the node.
type node struct {
	observation.Node
	listed *flamev1.Node
}

// look returns a node and the executors on it.
func (p ports) look(ctx context.Context, name string) (node, []*flamev1.Executor, error) {
	held, err := p.held(ctx, name)
	if err != nil {
		return node{}, nil, err
	}
	known, err := p.node(ctx, name)
	return known, held, err
}

// held returns the executors on a node, as Flame lists them.
func (p ports) held(ctx context.Context, node string) ([]*flamev1.Executor, error) {
	var held []*flamev1.Executor
	buffer := make([]byte, handedBack)
	err := p.get(ctx, executorList, flamev1.Frontend_ListExecutor_FullMethodName, &flamev1.ListExecutorRequest{}, func(m *message) error {
		return entries(m, func(f *field) error {
			raw := f.fill(buffer)
			e, err := readExecutor(inside(raw))
			if err != nil || e.Node != node {
				return err
			}
			executor := &flamev1.Executor{}
			held = append(held, executor)
			if err := p.kept.entry(); err != nil {
				return err
			}
			return f.decode(raw, executor)
		})
	})
	if err != nil {
		return nil, failed(err, "list the executors of Flame")
	}
	return held, nil
}

func (p ports) node(ctx context.Context, name string) (node, error) {
	var known node
	buffer := make([]byte, handedBack)
	err := p.get(ctx, nodeList, flamev1.Frontend_ListNodes_FullMethodName, &flamev1.ListNodesRequest{}, func(m *message) error {
		return entries(m, func(f *field) error {
			raw := f.fill(buffer)
			n, err := readNode(inside(raw))
			if err != nil || n.Name != name {
				return err
			}
			known = node{n, &flamev1.Node{}}
			return f.decode(raw, known.listed)
		})
	})
	if err != nil {
		return node{}, failed(err, "list the nodes of Flame")
	}
	return known, nil
}
