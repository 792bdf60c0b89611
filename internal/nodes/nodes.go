// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package nodes decides what has to be done so that Flame's nodes and the
// executor manager pods agree.
//
// The package is pure: what Flame says, the pods and the time go in, a plan comes out.
// Nothing is remembered: the names that Flame lists and no pod has are the list of what
// is left to do.
//
// The one hard idea is the proof. A node is fenced only if its process has no connection,
// since a connected process would be drained with the node, and stay NotReady for good. A
// cache that shows no pod proves nothing, and a server that has no pod proves little: the
// process of a force-deleted pod goes on for its whole grace period, and for longer where
// no kubelet hears of the deletion. There are two proofs: the kubelet says that the
// process ended, or the server has no pod and Flame has no connection. Flame does not
// tell of a lost connection while it calls a node Ready, so the node is challenged: a
// connected process answers with its next heartbeat.
package nodes

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/xflops/flame-operator/internal/flame/action"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
)

const (
	// fenceTime is how long a fenced node takes to be given up, with some time to spare:
	// Flame drains the node for 30 s. A node that takes longer was forgotten by a session
	// manager that was started anew.
	fenceTime = 45 * time.Second
	// returnTime is how long a node may be Unknown or not listed while its pod runs.
	// Flame gives an executor manager 30 s to come back, and the executor manager tries
	// every 30 s.
	returnTime = 45 * time.Second
	// reconnectTime is how long an executor manager may be without a connection while the
	// session manager is ready: the executor manager's tries are 30 s apart at most, and
	// its probe shows a connection 5 s later.
	reconnectTime = 40 * time.Second
	// startTime is how long the startup probe waits for a first connection.
	startTime = time.Minute
	// hangTime takes the place of reconnectTime if the executor manager's connection may
	// have been swallowed, since such an executor manager hangs for two minutes.
	// linkDelay is how much later the probe may show that a connection was lost.
	hangTime, linkDelay = 15 * time.Second, 15 * time.Second
	// silence is how long a node has to be silent after a challenge to prove that its
	// process has no connection. A heartbeat is due every 5 s, and Flame itself ends a
	// connection without one for 15 s.
	silence = 20 * time.Second
	// challengeEvery is how often a process that answers is challenged again.
	challengeEvery = 30 * time.Second
	// voidTime is how long an executor may be Void before its node is registered again,
	// and voidLimit is how long before its pod is replaced.
	voidTime, voidLimit = 20 * time.Second, 90 * time.Second
	// A draining pod halts its executor manager for 7 s when its hook begins and every
	// haltEvery after that, so that no task ends or starts for a while. From haltFrom to
	// haltUntil after the deletion the executor manager is halted for sure, and for
	// another haltSpare, the time that a call may take. The margins are needed because
	// the time of the deletion is known to a second, the hook may begin 2.5 s later, and
	// a clock may be a second fast or slow.
	haltEvery           = 30 * time.Second
	haltFrom, haltUntil = 3500 * time.Millisecond, 5500 * time.Millisecond
	haltSpare           = 300 * time.Millisecond
	// haltLook is how often to look during a halt, and haltLead is how long before a halt
	// to begin to watch closely.
	haltLook, haltLead = 500 * time.Millisecond, 2 * time.Second
	// hiddenTime is how often to check whether a pod that the cache does not show is
	// still alive.
	hiddenTime = 30 * time.Second
)

// Process is the known state of the process behind the name of a node.
type Process string

// The states of a process.
const (
	// Alive means that a pod of the name exists and has not ended.
	Alive Process = "Alive"
	// Ended means that the kubelet has said that the process ended.
	Ended Process = "Ended"
	// Absent means that the server has no pod of the name.
	Absent Process = "Absent"
)

// Gone is a name that Flame knows and for which no pod was known.
type Gone struct {
	Name    string
	Process Process
	// Since is the time at which the pod was first found to be absent.
	Since time.Time
	// DeletedAt is the time at which the pod was deleted with time to drain, before it
	// was force-deleted. The time is zero if there was no such deletion, or none was
	// seen.
	DeletedAt time.Time
}

// Input is what a plan is made from.
type Input struct {
	Latest observation.Latest
	// Recent says that Latest is recent enough to act on, and comes from the session
	// manager that runs now.
	Recent bool
	Pods   []podstate.Pod
	Gone   []Gone
	// SessionManager is its pod, and the zero Pod without one. StateSince is when it began
	// with no memory, and zero if its storage outlives it.
	SessionManager podstate.Pod
	StateSince     time.Time
	// Grace is how long a pod's process may live after the pod was deleted, provided that
	// the kubelet hears of the deletion.
	Grace time.Duration
}

// Reason says why a pod is lost.
type Reason string

// The reasons.
const (
	// StateLost pods have executors of a session manager that has lost its memory.
	StateLost Reason = "StateLost"
	// GivenUp pods run, and Flame has given up their node.
	GivenUp Reason = "GivenUp"
	// Unlisted pods are connected, and Flame does not know their node.
	Unlisted Reason = "Unlisted"
	// CutOff pods do not get back to a session manager that answers.
	CutOff Reason = "CutOff"
	// Deaf pods do not accept an executor that Flame gave them.
	Deaf Reason = "Deaf"
	// RestartedInPlace pods were restarted, and Flame takes them for what they were before.
	RestartedInPlace Reason = "RestartedInPlace"
)

// Loss is a pod that is of no more use.
type Loss struct {
	Pod    string
	Reason Reason
	Since  time.Time
	// Useless says that the pod's tasks have been given to others already.
	Useless bool
}

// Plan is what to do now.
type Plan struct {
	// Actions are for Flame, in the order in which they are to be done.
	Actions []action.Action
	// Gates holds the new value of each readiness gate that changes, by the name of its pod.
	Gates map[string]bool
	Lost  []Loss
	// Urgent says that something under way has to be watched closely.
	Urgent bool
	// After is the time until the next decision, and zero if only a change can make a
	// difference.
	After time.Duration
}

// order is the order of the actions. Fences come first, because they free tasks that
// others wait for. Among actions of one verb, those with the least time come first.
var order = []action.Verb{action.Fence, action.FenceSilent, action.Clear, action.Challenge, action.Release, action.Resync, action.Unbind}

func (p *Plan) do(verb action.Verb, target string) {
	p.Actions = append(p.Actions, action.Action{Verb: verb, Target: target})
}

func (p *Plan) sort() {
	slices.SortFunc(p.Actions, func(a, b action.Action) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Verb), slices.Index(order, b.Verb)), cmp.Compare(a.Within, b.Within), strings.Compare(a.Target, b.Target))
	})
	slices.SortFunc(p.Lost, func(a, b Loss) int { return strings.Compare(a.Pod, b.Pod) })
}
