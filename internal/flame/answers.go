// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"cmp"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

var executorStates = map[flamev1.ExecutorState]observation.ExecutorState{
	flamev1.ExecutorState_EXECUTOR_STATE_VOID:      observation.Void,
	flamev1.ExecutorState_EXECUTOR_STATE_IDLE:      observation.Idle,
	flamev1.ExecutorState_EXECUTOR_STATE_BINDING:   observation.Binding,
	flamev1.ExecutorState_EXECUTOR_STATE_BOUND:     observation.Bound,
	flamev1.ExecutorState_EXECUTOR_STATE_UNBINDING: observation.Unbinding,
	flamev1.ExecutorState_EXECUTOR_STATE_RELEASING: observation.Releasing,
	flamev1.ExecutorState_EXECUTOR_STATE_RELEASED:  observation.Released,
}

// The functions of this file and of sessions.go read one message each. The field numbers
// are those of flamev1/types.proto.

// entries calls a function for each entry of a list.
func entries(m *message, read func(f *field) error) error {
	return m.each(func(f *field) error {
		if f.number == 1 {
			return read(f)
		}
		return nil
	})
}

// Fields of the metadata of an object. Flame fills both with the same value.
const byID, byName = 1, 2

func named(m *message, by protowire.Number) (name string, err error) {
	err = m.each(func(f *field) (err error) {
		if f.number == by {
			name, err = f.name()
		}
		return err
	})
	return name, err
}

func readExecutor(m *message) (observation.Executor, error) {
	e := observation.Executor{State: observation.UnknownState}
	err := m.each(func(f *field) (err error) {
		switch f.number {
		case 1:
			e.ID, err = named(&f.message, byID)
		case 2:
			err = readExecutorSpec(&f.message, &e)
		case 3:
			err = readExecutorStatus(&f.message, &e)
		}
		return err
	})
	if err == nil && e.ID == "" {
		err = errUnreadable
	}
	return e, err
}

func readExecutorSpec(m *message, e *observation.Executor) error {
	return m.each(func(f *field) (err error) {
		switch f.number {
		case 1:
			e.Node, err = f.name()
		case 2:
			e.Resreq, err = readResources(&f.message)
		}
		return err
	})
}

func readExecutorStatus(m *message, e *observation.Executor) error {
	return m.each(func(f *field) (err error) {
		switch f.number {
		case 1:
			e.State = cmp.Or(executorStates[flamev1.ExecutorState(f.value)], observation.UnknownState)
		case 2:
			e.Session, err = f.name()
		}
		return err
	})
}

func readNode(m *message) (observation.Node, error) {
	n := observation.Node{State: observation.Unknown}
	err := m.each(func(f *field) (err error) {
		switch f.number {
		case 1:
			n.Name, err = named(&f.message, byName)
		case 3:
			err = readNodeStatus(&f.message, &n)
		}
		return err
	})
	if err == nil && n.Name == "" {
		err = errUnreadable
	}
	return n, err
}

func readNodeStatus(m *message, n *observation.Node) error {
	return m.each(func(f *field) (err error) {
		switch f.number {
		case 1:
			n.State = nodeStateOf(flamev1.NodeState(f.value))
		case 2:
			n.Capacity, err = readResources(&f.message)
		case 3:
			n.Allocatable, err = readResources(&f.message)
		case 4:
			err = readNodeInfo(&f.message, n)
		}
		return err
	})
}

func readNodeInfo(m *message, n *observation.Node) error {
	return m.each(func(f *field) error {
		switch f.number {
		case 1:
			n.Arch = f.text()
		case 2:
			n.OS = f.text()
		}
		return nil
	})
}

func nodeStateOf(state flamev1.NodeState) observation.NodeState {
	switch state {
	case flamev1.NodeState_NODE_STATE_READY:
		return observation.Ready
	case flamev1.NodeState_NODE_STATE_NOT_READY:
		return observation.NotReady
	default:
		return observation.Unknown
	}
}

// readResources caps CPU and memory at what an int64 holds, more than any machine has.
func readResources(m *message) (r observation.Resources, err error) {
	err = m.each(func(f *field) error {
		switch f.number {
		case 1:
			r.CPU = int64(min(f.value, math.MaxInt64))
		case 2:
			r.Memory = int64(min(f.value, math.MaxInt64))
		case 3:
			r.GPU = int64(int32(f.value))
		}
		return nil
	})
	return r, err
}

// task holds what is read of a task.
type task struct {
	id      string
	pending bool
}

func readTask(m *message) (task, error) {
	t := task{pending: true}
	err := m.each(func(f *field) (err error) {
		switch f.number {
		case 1:
			t.id, err = named(&f.message, byID)
		case 3:
			err = f.each(func(f *field) error {
				if f.number == 1 {
					t.pending = flamev1.TaskState(f.value) == flamev1.TaskState_TASK_STATE_PENDING
				}
				return nil
			})
		}
		return err
	})
	return t, err
}

// timeOf returns the time of Flame's milliseconds, and the zero time for 0.
func timeOf(milliseconds int64) time.Time {
	if milliseconds == 0 {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds).UTC()
}
