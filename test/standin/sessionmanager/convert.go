// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package sessionmanager

import (
	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/standin/config"
)

func resources(r *flamev1.ResourceRequirement) config.Resources {
	return config.Resources{CPU: r.GetCpu(), Memory: r.GetMemory(), GPU: r.GetGpu()}
}

func requirement(r config.Resources) *flamev1.ResourceRequirement {
	return &flamev1.ResourceRequirement{Cpu: r.CPU, Memory: r.Memory, Gpu: r.GPU}
}

func named(id string) *flamev1.Metadata {
	return &flamev1.Metadata{Id: id, Name: id}
}

// ms turns the seconds that are stored into the milliseconds that are sent.
func ms(seconds int64) int64 { return seconds * 1000 }

func completion(seconds int64) *int64 {
	if seconds == 0 {
		return nil
	}
	sent := ms(seconds)
	return &sent
}

func nodeOf(n *flamev1.Node) *node {
	return &node{
		Name:        n.GetMetadata().GetName(),
		State:       n.GetStatus().GetState(),
		Capacity:    resources(n.GetStatus().GetCapacity()),
		Allocatable: resources(n.GetStatus().GetAllocatable()),
		Arch:        n.GetStatus().GetInfo().GetArch(),
		OS:          n.GetStatus().GetInfo().GetOs(),
	}
}

func (n *node) proto() *flamev1.Node {
	return &flamev1.Node{
		Metadata: named(n.Name),
		Spec:     &flamev1.NodeSpec{Hostname: n.Name},
		Status: &flamev1.NodeStatus{
			State:       n.State,
			Capacity:    requirement(n.Capacity),
			Allocatable: requirement(n.Allocatable),
			Info:        &flamev1.NodeInfo{Arch: n.Arch, Os: n.OS},
		},
	}
}

func (e *executor) proto() *flamev1.Executor {
	status := &flamev1.ExecutorStatus{State: e.State}
	if e.Session != "" {
		status.SessionId = text(e.Session)
	}
	return &flamev1.Executor{
		Metadata: named(e.ID),
		Spec:     &flamev1.ExecutorSpec{Node: e.Node, Resreq: requirement(e.Resreq)},
		Status:   status,
	}
}

func (t *task) proto(sessionID string, events []event) *flamev1.Task {
	return &flamev1.Task{
		Metadata: named(taskID(t.ID)),
		Spec:     &flamev1.TaskSpec{SessionId: sessionID, Input: t.Input, Output: t.Output},
		Status: &flamev1.TaskStatus{
			State:          t.State,
			CreationTime:   ms(t.Created),
			CompletionTime: completion(t.Completed),
			Events:         eventProtos(events),
		},
	}
}

func (s *session) proto(events []event) *flamev1.Session {
	state := flamev1.SessionState_SESSION_STATE_OPEN
	if s.Closed {
		state = flamev1.SessionState_SESSION_STATE_CLOSED
	}
	return &flamev1.Session{
		Metadata: named(s.ID),
		Spec: &flamev1.SessionSpec{
			Application:  s.Application,
			CommonData:   s.CommonData,
			MinInstances: s.MinInstances,
			MaxInstances: s.MaxInstances,
			BatchSize:    s.BatchSize,
			Priority:     s.Priority,
			Resreq:       requirement(s.Resreq),
		},
		Status: &flamev1.SessionStatus{
			State:          state,
			CreationTime:   ms(s.Created),
			CompletionTime: completion(s.Completed),
			Pending:        int32(s.count(pending)),
			Running:        int32(s.count(running)),
			Succeed:        int32(s.count(succeed)),
			Failed:         int32(s.count(failed)),
			Cancelled:      int32(s.count(cancelled)),
			Events:         eventProtos(events),
		},
	}
}

func (a *application) proto() *flamev1.Application {
	return &flamev1.Application{
		Metadata: named(a.Name),
		Spec:     a.Spec,
		Status:   &flamev1.ApplicationStatus{CreationTime: ms(a.Created)},
	}
}

func eventProtos(events []event) []*flamev1.Event {
	protos := make([]*flamev1.Event, 0, len(events))
	for _, e := range events {
		protos = append(protos, &flamev1.Event{Code: e.Code, Message: text(e.Message), CreationTime: e.Created})
	}
	return protos
}
