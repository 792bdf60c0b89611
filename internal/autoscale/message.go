// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package autoscale

import (
	"fmt"
	"strings"
	"time"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

// sizesTold bounds the sizes that a message lists.
const sizesTold = 3

// silentMessage and message hold no count of tasks, since counts change all the time, and
// are in the status beside the message.
func silentMessage(desired int) string {
	return fmt.Sprintf("Flame does not say what it has to do: %s stay wanted, as decided before%s", managers(desired), ignored)
}

// ignored answers what a user of kubectl scale wonders about.
const ignored = "; executorManager.replicas counts only when a cluster starts"

// message explains a decision: what is needed, what is done about it, and what
// stands in the way of sessions.
func (in *Input) message(o outcome) string {
	needs := "the load needs " + managers(o.need)
	var text string
	switch {
	case o.need > in.Bounds.Max:
		text = fmt.Sprintf("%s, and maxReplicas allows %d", needs, in.Bounds.Max)
	case o.desired > o.needed:
		text = fmt.Sprintf("%s; %d are kept until %s, when fewer have been needed for %d seconds",
			needs, o.desired, in.keptUntil(o), int(in.Bounds.Delay.Seconds()))
	case o.need < in.Bounds.Min:
		text = fmt.Sprintf("%s, and minReplicas keeps %d", needs, in.Bounds.Min)
	default:
		text = needs
	}
	if o.desired < o.target {
		text += fmt.Sprintf("; %d are wanted for now, and more when those are ready (maxStarting is %d)", o.desired, in.Bounds.MaxStarting)
	}
	return text + in.obstacles(o) + ignored
}

// keptUntil returns until when the largest number is kept.
func (in *Input) keptUntil(o outcome) string {
	return o.peaks[0].EndedAt.Add(in.Bounds.Delay).UTC().Format(time.RFC3339)
}

// obstacles tells why sessions wait that more executor managers would not help.
func (in *Input) obstacles(o outcome) string {
	var b strings.Builder
	for i, kind := range o.unfit {
		if i == sizesTold {
			fmt.Fprintf(&b, "; nor for %d more kinds", len(o.unfit)-i)
			break
		}
		b.WriteString("; " + in.misfit(kind))
	}
	if o.stuck > 0 {
		fmt.Fprintf(&b, "; %s no more executors, because starting them failed too often", sessions(o.stuck, "gets", "get"))
	}
	if o.behind > 0 {
		fmt.Fprintf(&b, "; %s for one of priority %d, which has tasks that get no executor", sessions(o.behind, "waits", "wait"), o.blocker)
	}
	if in.sharesTooLittle(o) {
		fmt.Fprintf(&b, "; policy drf gives a session no more than 1/%d of the cluster while %d are open, so a busy one cannot use all of it",
			o.sharers, o.sharers)
	}
	return b.String()
}

func (in *Input) misfit(kind Unfit) string {
	if kind.Batch > 0 {
		return fmt.Sprintf("maxReplicas leaves no room for a batch of %d executors of %s (%s)",
			kind.Batch, describe(kind.Request), sessions(kind.Sessions, "", ""))
	}
	return fmt.Sprintf("no executor manager has room for an executor of %s (%s)", describe(kind.Request), sessions(kind.Sessions, "", ""))
}

// sharesTooLittle reports whether drf keeps a session from what it wants: drf gives one
// more executor only while the session has less than its share.
func (in *Input) sharesTooLittle(o outcome) bool {
	if in.Flame.Policy != DRF || o.sharers < 2 || o.most < 2 || o.desired == 0 {
		return false
	}
	return float64(o.most-1)*share(in.Flame.Shape, o.largest)/float64(o.desired) >= 1/float64(o.sharers)
}

// describe returns resources as Flame's clients write them.
func describe(r observation.Resources) string {
	parts := []string{fmt.Sprintf("cpu=%d", r.CPU), "mem=" + size(r.Memory)}
	if r.GPU > 0 {
		parts = append(parts, fmt.Sprintf("gpu=%d", r.GPU))
	}
	return strings.Join(parts, ",")
}

func size(n int64) string {
	for i, unit := range []string{"Gi", "Mi", "Ki"} {
		if step := int64(1) << (30 - 10*i); n >= step && n%step == 0 {
			return fmt.Sprintf("%d%s", n/step, unit)
		}
	}
	return fmt.Sprint(n)
}

func managers(n int) string {
	switch n {
	case 0:
		return "no executor manager"
	case 1:
		return "1 executor manager"
	default:
		return fmt.Sprintf("%d executor managers", n)
	}
}

func sessions(n int, one, many string) string {
	noun, verb := "sessions", many
	if n == 1 {
		noun, verb = "session", one
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s %s", n, noun, verb))
}
