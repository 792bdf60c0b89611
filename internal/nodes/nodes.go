// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package nodes decides what has to be done so that Flame's nodes and the
// executor manager pods agree.
//
// It is pure: what Flame says, the pods and the time go in, a plan comes out. It
// remembers nothing: a name that Flame lists and no pod has is the list of what
// is to be done.
//
// The one hard idea is the proof. A node is fenced only if its process has no
// connection, since one that has would be drained with it, and stay NotReady for
// good. That a cache shows no pod proves nothing, and that the server has none
// only a little: the process of a force-deleted pod goes on for its whole grace
// period, and for longer where no kubelet hears of it. What proves it is that its
// kubelet says that it ended; or that the server has no pod and Flame no
// connection. Of the latter Flame does not tell while it calls a node Ready, so
// the node is challenged: whoever is connected answers with its next heartbeat.
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
	// fenceTime is how long a fenced node takes to be given up, with something to
	// spare: Flame drains it for 30 s. One that takes longer was forgotten by a
	// session manager that was started anew.
	fenceTime = 45 * time.Second
	// returnTime is how long a node may be Unknown or not listed while its pod runs.
	// Flame gives an executor manager 30 s to come back, and it tries that often.
	returnTime = 45 * time.Second
	// reconnectTime is how long an executor manager may be without a connection
	// while the session manager is ready: its own tries are 30 s apart at most, and
	// its probe shows it 5 s later.
	reconnectTime = 40 * time.Second
	// startTime is how long the startup probe waits for a first connection.
	startTime = time.Minute
	// hangTime is how long if its connection may have been swallowed, which it
	// waits for two minutes then, and linkDelay how much later than it happened its
	// probe may show that its connection was lost.
	hangTime, linkDelay = 15 * time.Second, 15 * time.Second
	// silence is how long a node has to be silent after a challenge for its process
	// to have no connection. A heartbeat is due every 5 s, and without one for 15 s
	// Flame ends the connection itself.
	silence = 20 * time.Second
	// challengeEvery is how often a process that answers is challenged again.
	challengeEvery = 30 * time.Second
	// voidTime is how long an executor may be Void before its node is registered
	// again, and voidLimit how long before its pod is replaced.
	voidTime, voidLimit = 20 * time.Second, 90 * time.Second
	// A pod that drains halts its executor manager for 7 s when its hook begins and
	// every haltEvery after that, so that no task ends or starts for a while. From
	// haltFrom to haltUntil after its deletion it is halted for sure, and for another
	// haltSpare, which is what a call may take: when it was deleted is known to a
	// second, its hook may begin 2.5 s later, and its clock is a second fast or slow.
	haltEvery           = 30 * time.Second
	haltFrom, haltUntil = 3500 * time.Millisecond, 5500 * time.Millisecond
	haltSpare           = 300 * time.Millisecond
	// haltLook is how often to look while it is halted, and haltLead how long
	// before that to begin to watch it closely.
	haltLook, haltLead = 500 * time.Millisecond, 2 * time.Second
	// hiddenTime is how often to look whether a pod still lives that only the cache
	// does not show.
	hiddenTime = 30 * time.Second
)

// Process is what is known of the process behind the name of a node.
type Process string

// What is known of a process.
const (
	// Alive means that a pod of the name exists which has not ended.
	Alive Process = "Alive"
	// Ended means that its kubelet has said that it ended.
	Ended Process = "Ended"
	// Absent means that the server has no pod of the name.
	Absent Process = "Absent"
)

// Gone is a name that Flame knows and for which there was no pod.
type Gone struct {
	Name    string
	Process Process
	// Since is when it was found to be absent first.
	Since time.Time
	// DeletedAt is when its pod was deleted with time to drain, before it was
	// force-deleted; zero if it was not, or nobody saw it.
	DeletedAt time.Time
}

// SessionManager is what is known of the session manager's pod.
type SessionManager struct {
	// StartedAt is when its container started.
	StartedAt time.Time
	// ReadySince is zero while it is not ready.
	ReadySince time.Time
	// Refused says that whoever came back while it was away was refused: it was
	// started again in its pod, or the pod before it had left its Service when it
	// was deleted. Otherwise connections may have been swallowed.
	Refused bool
	// StateSince is when it began with no memory, and zero if its storage
	// outlives it.
	StateSince time.Time
}

// Input is what a plan is made from.
type Input struct {
	Latest observation.Latest
	// Recent says that Latest is no older than it should be.
	Recent         bool
	Pods           []podstate.Pod
	Gone           []Gone
	SessionManager SessionManager
	// Grace is how long the process of a pod may live after it was deleted, as long
	// as its kubelet hears of it.
	Grace time.Duration
}

// Reason says why a pod is lost.
type Reason string

// The reasons.
const (
	// StateLost pods have executors of a session manager that remembers nothing.
	StateLost Reason = "StateLost"
	// GivenUp pods run, and Flame has given up their node.
	GivenUp Reason = "GivenUp"
	// Unlisted pods are connected, and Flame does not know their node.
	Unlisted Reason = "Unlisted"
	// CutOff pods do not get back to a session manager that answers.
	CutOff Reason = "CutOff"
	// Deaf pods do not take an executor that Flame gave them.
	Deaf Reason = "Deaf"
	// RestartedInPlace pods are taken for what they were before.
	RestartedInPlace Reason = "RestartedInPlace"
)

// Loss is a pod that is of no use any more.
type Loss struct {
	Pod    string
	Reason Reason
	Since  time.Time
	// Useless says that its tasks have been given to others already.
	Useless bool
}

// Plan is what to do now.
type Plan struct {
	// Actions are for Flame, in the order in which they are to be done.
	Actions []action.Action
	// Gates says which readiness gates change, and to what.
	Gates map[string]bool
	Lost  []Loss
	// Urgent says that something is under way that has to be watched closely.
	Urgent bool
	// After is when to decide again; zero if only a change can make a difference.
	After time.Duration
}

// order is that of the actions: what is fenced frees tasks that others wait for. Of one
// verb those come first that have the least time.
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
