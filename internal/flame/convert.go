// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"cmp"
	"math"
	"slices"
	"time"

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

func sessionsOf(list *flamev1.SessionList) []observation.Session {
	sessions := make([]observation.Session, 0, len(list.GetSessions()))
	for _, s := range list.GetSessions() {
		sessions = append(sessions, sessionOf(s))
	}
	slices.SortFunc(sessions, func(a, b observation.Session) int { return cmp.Compare(a.ID, b.ID) })
	return sessions
}

func sessionOf(s *flamev1.Session) observation.Session {
	spec, status := s.GetSpec(), s.GetStatus()
	session := observation.Session{
		ID:           s.GetMetadata().GetId(),
		Application:  spec.GetApplication(),
		Open:         status.GetState() == flamev1.SessionState_SESSION_STATE_OPEN,
		Priority:     int(spec.GetPriority()),
		CreatedAt:    timeOf(status.GetCreationTime()),
		Pending:      int(status.GetPending()),
		Running:      int(status.GetRunning()),
		Succeeded:    int(status.GetSucceed()),
		Failed:       int(status.GetFailed()),
		Cancelled:    int(status.GetCancelled()),
		MinInstances: int(spec.GetMinInstances()),
		BatchSize:    max(1, int(spec.GetBatchSize())),
	}
	if spec.MaxInstances != nil {
		maximum := int(spec.GetMaxInstances())
		session.MaxInstances = &maximum
	}
	if spec.GetResreq() != nil {
		size := resourcesOf(spec.GetResreq())
		session.Resreq = &size
	}
	for _, e := range status.GetEvents() {
		switch e.GetCode() {
		case bindFailed:
			session.BindFailures++
		case retryLimitReached:
			if at := timeOf(e.GetCreationTime()); at.After(session.BlockedAt) {
				session.BlockedAt = at
			}
		}
	}
	return session
}

func executorsOf(list *flamev1.ExecutorList) []observation.Executor {
	executors := make([]observation.Executor, 0, len(list.GetExecutors()))
	for _, e := range list.GetExecutors() {
		executors = append(executors, observation.Executor{
			ID:      e.GetMetadata().GetId(),
			Node:    e.GetSpec().GetNode(),
			State:   cmp.Or(executorStates[e.GetStatus().GetState()], observation.UnknownState),
			Session: e.GetStatus().GetSessionId(),
			Resreq:  resourcesOf(e.GetSpec().GetResreq()),
		})
	}
	slices.SortFunc(executors, func(a, b observation.Executor) int { return cmp.Compare(a.ID, b.ID) })
	return executors
}

func nodesOf(list *flamev1.NodeList) []observation.Node {
	nodes := make([]observation.Node, 0, len(list.GetNodes()))
	for _, n := range list.GetNodes() {
		nodes = append(nodes, nodeOf(n))
	}
	slices.SortFunc(nodes, func(a, b observation.Node) int { return cmp.Compare(a.Name, b.Name) })
	return nodes
}

func nodeOf(n *flamev1.Node) observation.Node {
	return observation.Node{
		Name:        n.GetMetadata().GetName(),
		State:       nodeStateOf(n.GetStatus().GetState()),
		Capacity:    resourcesOf(n.GetStatus().GetCapacity()),
		Allocatable: resourcesOf(n.GetStatus().GetAllocatable()),
		Arch:        n.GetStatus().GetInfo().GetArch(),
		OS:          n.GetStatus().GetInfo().GetOs(),
	}
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

// resourcesOf cuts off what no machine has.
func resourcesOf(r *flamev1.ResourceRequirement) observation.Resources {
	return observation.Resources{
		CPU:    int64(min(r.GetCpu(), math.MaxInt64)),
		Memory: int64(min(r.GetMemory(), math.MaxInt64)),
		GPU:    int64(r.GetGpu()),
	}
}

// timeOf turns Flame's milliseconds into a time; zero into none.
func timeOf(milliseconds int64) time.Time {
	if milliseconds == 0 {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds).UTC()
}
