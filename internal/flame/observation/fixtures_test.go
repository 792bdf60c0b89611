// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package observation

import "time"

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// after is a time in seconds after noon.
func after(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

var (
	small = Resources{CPU: 1, Memory: 1 << 30}
	large = Resources{CPU: 4, Memory: 4 << 30}
)

func session(id string, pending, running int) Session {
	return Session{ID: id, Application: "flmping", Open: true, Pending: pending, Running: running, BatchSize: 1}
}

func closed(s Session) Session {
	s.Open = false
	return s
}

func executor(id, node string, state ExecutorState, session string) Executor {
	return Executor{ID: id, Node: node, State: state, Session: session, Resreq: small}
}

func node(name string, state NodeState) Node {
	return Node{Name: name, State: state, Capacity: large, Allocatable: large}
}

// fenced is node n as a fence leaves it.
func fenced() Node { return Node{Name: "n", State: Unknown} }

// silent is node n as a challenge leaves it.
func silent() Node { return Node{Name: "n", State: Ready} }

func at(seconds int, nodes []Node, executors ...Executor) Observation {
	return Observation{At: after(seconds), Nodes: nodes, Executors: executors}
}
