// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flametest

import (
	"fmt"
	"strings"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

func sessionProto(s observation.Session) *flamev1.Session {
	state := flamev1.SessionState_SESSION_STATE_CLOSED
	if s.Open {
		state = flamev1.SessionState_SESSION_STATE_OPEN
	}
	session := &flamev1.Session{
		Metadata: named(s.ID),
		Spec: &flamev1.SessionSpec{
			Application: s.Application, Priority: uint32(s.Priority), MinInstances: uint32(s.MinInstances), BatchSize: uint32(s.BatchSize),
		},
		Status: &flamev1.SessionStatus{
			State: state, Pending: int32(s.Pending), Running: int32(s.Running),
			Succeed: int32(s.Succeeded), Failed: int32(s.Failed), Cancelled: int32(s.Cancelled),
		},
	}
	if s.MaxInstances != nil {
		maximum := uint32(*s.MaxInstances)
		session.Spec.MaxInstances = &maximum
	}
	if s.Resreq != nil {
		session.Spec.Resreq = requirement(*s.Resreq)
	}
	if !s.CreatedAt.IsZero() {
		session.Status.CreationTime = s.CreatedAt.UnixMilli()
	}
	for try := range s.BindFailures {
		said := fmt.Sprintf("Executor <executor-%d> on node <node-%d> failed to bind session with return_code <10>: %s", try, try, s.BlockedWhy)
		session.Status.Events = append(session.Status.Events, &flamev1.Event{Code: 1001, Message: &said})
	}
	if !s.BlockedAt.IsZero() {
		session.Status.Events = append(session.Status.Events, &flamev1.Event{Code: 1002, CreationTime: s.BlockedAt.UnixMilli()})
	}
	return session
}

func executorProto(e observation.Executor) *flamev1.Executor {
	state := flamev1.ExecutorState_value["EXECUTOR_STATE_"+strings.ToUpper(string(e.State))]
	status := &flamev1.ExecutorStatus{State: flamev1.ExecutorState(state)}
	if e.Session != "" {
		status.SessionId = &e.Session
	}
	return &flamev1.Executor{
		Metadata: named(e.ID),
		Spec:     &flamev1.ExecutorSpec{Node: e.Node, Resreq: requirement(e.Resreq)},
		Status:   status,
	}
}

var nodeStates = map[observation.NodeState]flamev1.NodeState{
	observation.Ready:    flamev1.NodeState_NODE_STATE_READY,
	observation.NotReady: flamev1.NodeState_NODE_STATE_NOT_READY,
	observation.Unknown:  flamev1.NodeState_NODE_STATE_UNKNOWN,
}

func nodeProto(n observation.Node) *flamev1.Node {
	return &flamev1.Node{
		Metadata: named(n.Name),
		Spec:     &flamev1.NodeSpec{Hostname: n.Name},
		Status: &flamev1.NodeStatus{
			State: nodeStates[n.State], Capacity: requirement(n.Capacity), Allocatable: requirement(n.Allocatable),
			Info: &flamev1.NodeInfo{Arch: n.Arch, Os: n.OS},
		},
	}
}

func nodeOf(n *flamev1.Node) observation.Node {
	return observation.Node{
		Name:        n.GetMetadata().GetName(),
		Capacity:    resources(n.GetStatus().GetCapacity()),
		Allocatable: resources(n.GetStatus().GetAllocatable()),
		Arch:        n.GetStatus().GetInfo().GetArch(),
		OS:          n.GetStatus().GetInfo().GetOs(),
	}
}

func named(name string) *flamev1.Metadata { return &flamev1.Metadata{Id: name, Name: name} }

func requirement(r observation.Resources) *flamev1.ResourceRequirement {
	return &flamev1.ResourceRequirement{Cpu: uint64(r.CPU), Memory: uint64(r.Memory), Gpu: int32(r.GPU)}
}

func resources(r *flamev1.ResourceRequirement) observation.Resources {
	return observation.Resources{CPU: int64(r.GetCpu()), Memory: int64(r.GetMemory()), GPU: int64(r.GetGpu())}
}
