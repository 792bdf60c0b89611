// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"context"
	"fmt"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

// Clear takes the executors that run no task one step off a fenced node whose
// process has ended, instead of leaving them there for the 30 s of its drain:
// Flame counts them for the session that needs one most, which gets no others.
//
//   - A Void one is registered in its process's place. It is Idle then, and a
//     moment later, which is the scheduler's, Binding or Releasing.
//   - A Binding or Releasing one is unregistered. It has no task yet, or no more.
//   - An Unbinding one has left its session if Flame names none, or none of whose
//     tasks runs. It becomes Idle.
//
// All others stay: a Bound one may run a task, and one that waits cannot be told
// from it. If the node is not fenced, Clear returns ErrNotFenced.
//
// Never clear a node whose process may come back: it would ask for its executors
// for ever, without a pause.
//
// Flame workaround: clear
func (c *Client) Clear(ctx context.Context, node string) error {
	return c.with(ctx, func(ctx context.Context, flame ports) error {
		known, held, err := flame.look(ctx, node)
		if err != nil {
			return err
		}
		if !known.Fenced() {
			return fmt.Errorf("clear node %q: %w", node, ErrNotFenced)
		}
		for _, executor := range held {
			if err := flame.takeOff(ctx, executor); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p ports) takeOff(ctx context.Context, executor *flamev1.Executor) error {
	id := executor.GetMetadata().GetId()
	switch executor.GetStatus().GetState() {
	case flamev1.ExecutorState_EXECUTOR_STATE_VOID:
		result, err := p.backend.RegisterExecutor(ctx, &flamev1.RegisterExecutorRequest{ExecutorId: id, ExecutorSpec: executor.GetSpec()})
		return answered(result, err, "register executor %q", id)
	case flamev1.ExecutorState_EXECUTOR_STATE_BINDING, flamev1.ExecutorState_EXECUTOR_STATE_RELEASING:
		result, err := p.backend.UnregisterExecutor(ctx, &flamev1.UnregisterExecutorRequest{ExecutorId: id})
		return answered(result, err, "unregister executor %q", id)
	case flamev1.ExecutorState_EXECUTOR_STATE_UNBINDING:
		return p.endUnbinding(ctx, id, executor.GetStatus().GetSessionId())
	default:
		return nil
	}
}

// endUnbinding ends an executor's leave of a session none of whose tasks runs.
// One that is Unbinding is given no task, so what holds now holds from then on.
func (p ports) endUnbinding(ctx context.Context, executor, session string) error {
	if session != "" {
		known, err := p.session(ctx, session)
		if err != nil {
			return failed(err, "get session %q", session)
		}
		if known.Running > 0 {
			return nil
		}
	}
	result, err := p.backend.UnbindExecutorCompleted(ctx, &flamev1.UnbindExecutorCompletedRequest{ExecutorId: executor})
	return answered(result, err, "end the unbinding of executor %q", executor)
}
