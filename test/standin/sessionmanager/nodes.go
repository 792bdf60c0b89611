// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package sessionmanager

import (
	"strings"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

// registerNode makes a node Ready and sends it the executors that it should
// have, with those that it has and should not have as Released.
//
// An executor that the node did not report is released, if it is idle. An executor in
// another state cannot be released, and goes to the node as it is: a Bound one without an
// instance, for example, on which the node then spins.
func (s *State) registerNode(reported *node, executors []*flamev1.Executor) error {
	s.log.Infof("apiserver::backend", "Registering node <%s> with %d executors", reported.Name, len(executors))
	if known := s.nodes[reported.Name]; known != nil {
		reported.State = known.State
	}
	s.nodes[reported.Name] = reported
	if err := s.store.saveNode(reported); err != nil {
		return internal("save node %q: %v", reported.Name, err)
	}
	c, err := s.connect(reported.Name)
	if err != nil {
		return err
	}
	reportedIDs := map[string]bool{}
	for _, e := range executors {
		reportedIDs[e.GetMetadata().GetId()] = true
	}
	for _, e := range s.executorsOf(reported.Name) {
		before := e.proto()
		if !reportedIDs[e.ID] {
			s.log.Infof("controller", "Executor <%s> not reported by node <%s>, releasing it", e.ID, reported.Name)
			if err := s.releaseExecutor(e); err != nil {
				s.log.Warnf("controller", "Cannot release orphaned executor <%s>: %v", e.ID, err)
			}
		}
		s.outbox = append(s.outbox, delivery{c, before})
	}
	for _, e := range executors {
		id := e.GetMetadata().GetId()
		if known := s.executors[id]; known == nil || known.Node != reported.Name {
			s.log.Infof("controller", "Executor <%s> of node <%s> is unknown, sending release signal", id, reported.Name)
			e.Status = &flamev1.ExecutorStatus{State: flamev1.ExecutorState_EXECUTOR_STATE_RELEASED}
			s.outbox = append(s.outbox, delivery{c, e})
		}
	}
	return nil
}

// heartbeat refreshes what a Ready node has; any other node's is ignored.
func (s *State) heartbeat(name string, status *flamev1.NodeStatus) {
	n := s.nodes[name]
	if n == nil || status == nil || n.State != flamev1.NodeState_NODE_STATE_READY {
		return
	}
	if status.GetCapacity() != nil {
		n.Capacity = resources(status.GetCapacity())
	}
	if status.GetAllocatable() != nil {
		n.Allocatable = resources(status.GetAllocatable())
	}
	if status.GetInfo() != nil {
		n.Arch, n.OS = status.GetInfo().GetArch(), status.GetInfo().GetOs()
	}
}

// releaseNode forgets a node in any state, and nothing else: its executors stay
// in memory, its connection and its timer go on.
func (s *State) releaseNode(name string) error {
	if err := s.store.deleteNode(name); err != nil {
		return internal("delete node %q: %v", name, err)
	}
	delete(s.nodes, name)
	return nil
}

func (s *State) setNodeState(n *node, state flamev1.NodeState) error {
	n.State = state
	if err := s.store.saveNode(n); err != nil {
		return internal("save node %q: %v", n.Name, err)
	}
	s.log.Infof("storage", "Updated node %s state to %s", n.Name, stateName(state))
	return nil
}

func (s *State) executorsOf(name string) []*executor {
	var found []*executor
	for _, e := range s.executors {
		if e.Node == name {
			found = append(found, e)
		}
	}
	return found
}

// stateName says "NotReady" for NODE_STATE_NOT_READY.
func stateName(state flamev1.NodeState) string {
	words := strings.Split(strings.TrimPrefix(state.String(), "NODE_STATE_"), "_")
	for i, word := range words {
		words[i] = word[:1] + strings.ToLower(word[1:])
	}
	return strings.Join(words, "")
}
