// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

// drainCheck is how often a fence looks whether it holds.
const drainCheck = 20 * time.Millisecond

// Fence keeps Flame from using a node whose process is gone, and lets it give
// the node up 30 s later: then its executors are deleted, their tasks pending,
// and the node is NotReady. Without it Flame puts an executor on the dead node
// that starves its session for good; it also heals a node that holds one, and a
// node that came back as Ready with a new session manager.
//
// The node is registered as one that has nothing, with the executors that Flame
// lists on it; its stream is opened, sends one heartbeat, and ends. Fence
// returns when Flame drains the node.
//
// Never fence a node whose process may live: its own stream would be drained
// with it, and it would stay NotReady. Do not fence one again that drains: that
// starts its 30 s anew.
func (c *Client) Fence(ctx context.Context, node string) error {
	return c.with(ctx, verbTimeout, func(ctx context.Context, flame ports) error {
		held, err := flame.held(ctx, node)
		if err != nil {
			return err
		}
		if err := flame.register(ctx, emptyNode(node), held); err != nil {
			return err
		}
		// Flame leaves its side of the stream open, so it has to be cut off, after
		// Flame has seen ours end.
		ctx, cut := context.WithCancel(ctx)
		defer cut()
		if err := flame.beatOnce(ctx, node); err != nil {
			return err
		}
		return flame.awaitDrain(ctx, node)
	})
}

// emptyNode is a node that nothing fits on.
func emptyNode(name string) *flamev1.Node {
	return &flamev1.Node{
		Metadata: &flamev1.Metadata{Id: name, Name: name},
		Spec:     &flamev1.NodeSpec{Hostname: name},
		Status:   nothing(),
	}
}

func nothing() *flamev1.NodeStatus {
	return &flamev1.NodeStatus{
		State:       flamev1.NodeState_NODE_STATE_READY,
		Capacity:    &flamev1.ResourceRequirement{},
		Allocatable: &flamev1.ResourceRequirement{},
		Info:        &flamev1.NodeInfo{},
	}
}

// beatOnce opens a node's stream, waits until its heartbeat is answered, and
// ends our side.
func (p ports) beatOnce(ctx context.Context, node string) error {
	stream, err := p.backend.WatchNode(ctx)
	if err != nil {
		return failed(err, "open the stream of node %q", node)
	}
	heartbeat := &flamev1.NodeHeartbeat{NodeName: node, Status: nothing()}
	// The reason why it cannot be sent comes with the answer.
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
		if known.GetStatus().GetState() != flamev1.NodeState_NODE_STATE_READY {
			return nil
		}
		select {
		case <-check.C:
		case <-ctx.Done():
			return failed(ctx.Err(), "wait for node %q to drain", node)
		}
	}
}

// Cordon has Flame forget a live node without executors, so that none is put on
// it while its process ends. It returns ErrHoldsExecutors if there are some and
// ErrNotReady if the node is not Ready; the node is as it was then.
//
// So that no executor comes in between, the node first registers as one that
// has nothing, which holds until its next heartbeat, 5 s later at most. If one
// came all the same, or anything fails, the node is registered as it was.
func (c *Client) Cordon(ctx context.Context, node string) error {
	return c.with(ctx, verbTimeout, func(ctx context.Context, flame ports) error {
		known, held, err := flame.look(ctx, node)
		switch {
		case err != nil:
			return err
		case known.GetStatus().GetState() != flamev1.NodeState_NODE_STATE_READY:
			return fmt.Errorf("cordon node %q: %w", node, ErrNotReady)
		case len(held) > 0:
			return fmt.Errorf("cordon node %q: %w", node, ErrHoldsExecutors)
		}
		if err := flame.cordon(ctx, known); err != nil {
			flame.uncordon(ctx, known)
			return err
		}
		return nil
	})
}

func (p ports) cordon(ctx context.Context, node *flamev1.Node) error {
	name := node.GetMetadata().GetName()
	empty := proto.CloneOf(node)
	empty.Status.Capacity, empty.Status.Allocatable = nothing().GetCapacity(), nothing().GetAllocatable()
	if err := p.register(ctx, empty, nil); err != nil {
		return err
	}
	if err := p.holdsNothing(ctx, name); err != nil {
		return err
	}
	if err := p.release(ctx, name); err != nil {
		return err
	}
	return p.holdsNothing(ctx, name)
}

func (p ports) holdsNothing(ctx context.Context, node string) error {
	held, err := p.held(ctx, node)
	if err == nil && len(held) > 0 {
		return fmt.Errorf("cordon node %q: %w", node, ErrHoldsExecutors)
	}
	return err
}

// uncordon registers a node as it was, with what it holds now. It has its own
// time, since the verb's may be over; if it fails, the node's next heartbeat
// brings back what it has, or its next stream the node itself.
func (p ports) uncordon(ctx context.Context, node *flamev1.Node) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), verbTimeout)
	defer cancel()
	if held, err := p.held(ctx, node.GetMetadata().GetName()); err == nil {
		_ = p.register(ctx, node, held)
	}
}

// look returns a node, nil if it is not listed, and the executors on it.
func (p ports) look(ctx context.Context, node string) (*flamev1.Node, []*flamev1.Executor, error) {
	held, err := p.held(ctx, node)
	if err != nil {
		return nil, nil, err
	}
	known, err := p.node(ctx, node)
	return known, held, err
}

func (p ports) held(ctx context.Context, node string) ([]*flamev1.Executor, error) {
	list, err := p.frontend.ListExecutor(ctx, &flamev1.ListExecutorRequest{})
	if err != nil {
		return nil, failed(err, "list the executors of Flame")
	}
	var held []*flamev1.Executor
	for _, e := range list.GetExecutors() {
		if e.GetSpec().GetNode() == node {
			held = append(held, e)
		}
	}
	return held, nil
}

func (p ports) node(ctx context.Context, name string) (*flamev1.Node, error) {
	list, err := p.frontend.ListNodes(ctx, &flamev1.ListNodesRequest{})
	if err != nil {
		return nil, failed(err, "list the nodes of Flame")
	}
	for _, n := range list.GetNodes() {
		if n.GetMetadata().GetName() == name {
			return n, nil
		}
	}
	return nil, nil
}
