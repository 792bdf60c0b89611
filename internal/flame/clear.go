// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"context"
	"fmt"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

// Clear takes the executors that run no task one step off a fenced node whose process has
// ended. Without Clear they would stay there for the 30 s of the node's drain, and Flame
// would count them for the session that needs executors most, which gets no others.
//
//   - A Void executor is registered in the place of its process. The executor is Idle then,
//     and Binding or Releasing a moment later, once the scheduler has run.
//   - A Binding or Releasing executor is unregistered, since it has no task yet, or no
//     more.
//   - An Unbinding executor has left its session if Flame names no session, or if none of
//     the session's tasks runs. The executor becomes Idle.
//
// All others stay: a Bound executor may run a task, and cannot be told from one that waits.
// If the node is not fenced, Clear returns ErrNotFenced.
//
// Never clear a node whose process may come back: the process would ask for its executors
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

// endUnbinding lets an executor finish leaving its session if none of the session's tasks
// runs. Flame gives an Unbinding executor no task, so the executor has none from then on.
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
