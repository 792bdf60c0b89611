// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package rollout plans which pods of a cluster come and go: executor managers in
// executormanagers.go and plan.go, the one session manager in sessionmanager.go, and
// object caches in objectcache.go.
//
// The package is pure: pods, what is wanted and the time go in, a plan or a step comes
// out. The package must not know Kubernetes, and remembers nothing from one call to the
// next: all state is in the pods, so that a plan that was carried out in part, by an
// operator that is gone, is simply decided anew.
//
// Three ideas are hard. The first is the place. A cluster has as many places as executor
// managers are desired, and some more while an update is under way. A pod that finished
// is evidence: it keeps its place, its logs and the count of failures until the back-off
// is over and its replacement takes the place. Keeping the place slows crash loops down,
// and keeps a broken template from taking over a fleet.
//
// The second is how an executor manager leaves. A pod that never worked is deleted. A pod
// without an executor is cordoned first: Flame is told to forget the node, and the pod is
// deleted only when Flame has done so and the pod still holds nothing. A pod with
// executors is deleted and drains: its preStop hook keeps it until its tasks have ended.
// A pod of which Flame has said nothing lately stays, whatever is wanted.
//
// The third is the withdrawal of the session manager. An executor manager that reconnects
// while the Service still sends it to the address of a pod that is gone hangs there for
// two minutes, and the cluster with it. So a pod that is to be replaced leaves its
// Service first, and is deleted when the nodes have noticed: an executor manager that
// reconnects then is refused, and tries again. There is never a second session manager
// pod: the pod has a fixed name, and Flame's state has one writer.
package rollout
