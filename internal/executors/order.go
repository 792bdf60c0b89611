// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package executors

import (
	"cmp"
	"strings"
	"time"
)

// leastLoss orders live pods by what is lost with them, the least first: those
// never scheduled, then those never ready, those cut off, and the ready ones; at
// the end the oldest.
func leastLoss(a, b *Pod) int {
	return cmp.Or(
		cmp.Compare(a.rank(), b.rank()),
		youngest(a.ReadySince, b.ReadySince),
		youngest(a.CreatedAt, b.CreatedAt),
		byName(a, b),
	)
}

func (p *Pod) rank() int {
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

// leastEvidence orders finished pods by what they tell, the least first: a pod
// with few failures before it, an old one.
func leastEvidence(a, b *Pod) int {
	return cmp.Or(
		cmp.Compare(a.Failures, b.Failures),
		a.FinishedAt.Compare(b.FinishedAt),
		byName(a, b),
	)
}

// worked reports whether a pod has ever been connected to the session manager.
func (p *Pod) worked() bool { return p.Ready || p.Connected }

func youngest(a, b time.Time) int { return b.Compare(a) }

func byName(a, b *Pod) int { return strings.Compare(a.Name, b.Name) }
