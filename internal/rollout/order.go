// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"strings"
	"time"
)

// leastLoss orders live pods by what is lost with them, the least first: pods that have
// not come far, then those that do least; among equals the youngest.
func leastLoss(a, b *ExecutorManager) int {
	return cmp.Or(
		cmp.Compare(a.stage(), b.stage()),
		cmp.Compare(a.Work.rank(), b.Work.rank()),
		cmp.Compare(a.Work.Busy, b.Work.Busy),
		youngest(a.ReadySince, b.ReadySince),
		youngest(a.CreatedAt, b.CreatedAt),
		byName(a, b),
	)
}

// stage returns how far a pod has come: never scheduled, never connected, once connected
// but not ready, or ready.
func (p *ExecutorManager) stage() int {
	switch {
	case p.Ready:
		return 3
	case p.Connected:
		return 2
	case p.Scheduled:
		return 1
	default:
		return 0
	}
}

// rank returns how much work is lost with a pod: none if the pod gets no more work,
// perhaps a coming task if the pod runs none, and a running task if it is busy.
func (w Work) rank() int {
	switch {
	case !w.Known:
		return 3
	case w.Busy > 0:
		return 5
	case w.Executors > 0:
		return 4
	case w.Cordoned:
		return 0
	case w.Idle:
		return 1
	default:
		return 2
	}
}

// leastEvidence orders ended pods by how much they tell, the least first: pods with few
// failures before them, then pods that ended long ago.
func leastEvidence(a, b *ExecutorManager) int {
	return cmp.Or(
		cmp.Compare(a.Failures, b.Failures),
		a.failure().FinishedAt.Compare(b.failure().FinishedAt),
		byName(a, b),
	)
}

// worked reports whether a pod has ever been connected to the session manager.
func (p *ExecutorManager) worked() bool { return p.Ready || p.Connected }

// ended reports whether a pod is to be replaced because it has finished or is lost.
func (p *ExecutorManager) ended() bool { return p.Finished() || !p.LostSince.IsZero() }

// hasNothingToEnd reports whether nothing is gained by giving a pod time, because its
// tasks have been given to others or its executor manager has ended beside a sidecar.
func (p *ExecutorManager) hasNothingToEnd() bool { return p.Useless || p.Ended && !p.Over }

func youngest(a, b time.Time) int { return b.Compare(a) }

func byName(a, b *ExecutorManager) int { return strings.Compare(a.Name, b.Name) }
