// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package rollout plans which pods of a cluster come and go: executor managers in
// executormanagers.go and plan.go, the one session manager in sessionmanager.go, and
// object caches in objectcache.go.
//
// It is pure: pods, what is wanted and the time go in, a plan or a step comes out. It
// must not know Kubernetes, and it remembers nothing from one call to the next: all
// state is in the pods, so that a plan that was carried out in part, by an operator
// that is gone, is simply decided anew.
//
// Three ideas are hard. The first is the place. A cluster has as many places as
// executor managers are desired, and some more while an update is under way. A pod
// that finished is evidence: it keeps its place, its logs and the count of
// failures until the back-off is over and its replacement takes the place. That
// is what keeps a crash loop slow, and a broken template from taking over a fleet.
//
// The second is how an executor manager leaves. One that never worked is deleted. One
// without an executor is cordoned first: Flame is told to forget its node, and only
// when it has, and the pod still holds nothing, is it deleted. One with executors is
// deleted and drains: its preStop hook keeps it until its tasks have ended. One
// of which Flame has said nothing lately stays, whatever is wanted.
//
// The third is the withdrawal of the session manager. An executor manager that
// reconnects while the Service still sends it to the address of a pod that is gone
// hangs there for two minutes, and the cluster with it. So a pod that is to be replaced
// leaves its Service first, and is deleted when the nodes know: whoever
// reconnects then is refused, and tries again. There is never a second pod: it has a
// fixed name, and Flame's state has one writer.
package rollout
