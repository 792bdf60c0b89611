// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"cmp"
	"math"
	"regexp"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// Codes of a session's events.
const (
	bindFailed        = 1001
	retryLimitReached = 1002
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

// The functions of this file read one message each. The field numbers are those of
// flamev1/types.proto.

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

func readSession(m *message) (observation.Session, error) {
	s, last := observation.Session{Open: true, BatchSize: 1}, bindFailure{}
	err := m.each(func(f *field) (err error) {
		switch f.number {
		case 1:
			s.ID, err = named(&f.message, byID)
		case 2:
			err = readSessionSpec(&f.message, &s)
		case 3:
			err = readSessionStatus(&f.message, &s, &last)
		}
		return err
	})
	if err == nil && s.ID == "" {
		err = errUnreadable
	}
	if !s.BlockedAt.IsZero() {
		s.BlockedWhy = last.why()
	}
	return s, err
}

func readSessionSpec(m *message, s *observation.Session) error {
	return m.each(func(f *field) error {
		switch f.number {
		case 2:
			s.Application = f.text()
		case 5:
			s.MinInstances = int(uint32(f.value))
		case 6:
			maximum := int(uint32(f.value))
			s.MaxInstances = &maximum
		case 7:
			s.BatchSize = max(1, int(uint32(f.value)))
		case 8:
			s.Priority = int(uint32(f.value))
		case 9:
			size, err := readResources(&f.message)
			s.Resreq = &size
			return err
		}
		return nil
	})
}

func readSessionStatus(m *message, s *observation.Session, last *bindFailure) error {
	return m.each(func(f *field) error {
		switch f.number {
		case 1:
			s.Open = flamev1.SessionState(f.value) == flamev1.SessionState_SESSION_STATE_OPEN
		case 2:
			s.CreatedAt = timeOf(int64(f.value))
		case 4:
			s.Pending = int(int32(f.value))
		case 5:
			s.Running = int(int32(f.value))
		case 6:
			s.Succeeded = int(int32(f.value))
		case 7:
			s.Failed = int(int32(f.value))
		case 8:
			return readEvent(&f.message, s, last)
		case 9:
			s.Cancelled = int(int32(f.value))
		}
		return nil
	})
}

// bindFailure is the newest of a session's bindings that failed.
type bindFailure struct {
	at time.Time
	// said is the beginning of what Flame said of it. spare is room for another text, so
	// that a session with millions of events takes no more than one with two.
	said, spare []byte
}

// read reads the text of an event into the spare room.
func (b *bindFailure) read(f *field) []byte {
	if b.spare == nil {
		b.spare = make([]byte, reasonSize)
	}
	return f.fill(b.spare)
}

// replace makes an event the newest, unless it is older.
func (b *bindFailure) replace(at time.Time, text []byte) {
	if at.Before(b.at) {
		return
	}
	if text != nil {
		b.spare = b.said[:cap(b.said)]
	}
	b.at, b.said = at, text
}

func readEvent(m *message, s *observation.Session, last *bindFailure) error {
	code, at, text := int32(0), time.Time{}, []byte(nil)
	err := m.each(func(f *field) error {
		switch f.number {
		case 1:
			code = int32(f.value)
		case 2:
			text = last.read(f)
		case 3:
			at = timeOf(int64(f.value))
		}
		return nil
	})
	switch {
	case code == bindFailed:
		s.BindFailures++
		last.replace(at, text)
	case code == retryLimitReached && at.After(s.BlockedAt):
		s.BlockedAt = at
	}
	return err
}

var (
	// attempt is what Flame says of the executor and the node whose binding failed, which
	// are others with each try.
	attempt = regexp.MustCompile(`^Executor <[^>]*> on node <[^>]*> failed to bind session with return_code <[^>]*>: `)
	// varying matches IDs, which differ from try to try as well, and credentials in URLs.
	varying = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|//[^/@\s]*@`)
)

// why returns the reason for which the binding failed, without what differs from try to try.
func (b *bindFailure) why() string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(b.said), "")), " ")
	return varying.ReplaceAllString(attempt.ReplaceAllString(text, ""), "…")
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
