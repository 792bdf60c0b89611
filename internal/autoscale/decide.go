// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package autoscale

import (
	"slices"
	"time"
)

// Decide returns how many executor managers there should be.
//
//  1. The bounds always hold, also for what was decided under other bounds.
//  2. While Flame is silent the last decision stands. Without a decision the number is Start.
//  3. The number rises at once to what the load needs, but with MaxStarting only as far as
//     that many executor managers are starting.
//  4. The number falls to the most that was needed within the delay.
//  5. The number covers all that hold an executor of a session, unless Max is less.
func Decide(in Input) Decision {
	previous := in.previous()
	if in.Observation == nil {
		return in.keep(previous)
	}
	in.Flame.Shape = in.shape()
	rooms, held := in.occupied()
	occupied := 0
	for _, b := range rooms {
		occupied += b.count
	}
	asked := in.demands(held)
	o := outcome{demand: asked, need: occupied + pack(rooms, in.Flame.Shape, asked.lacking)}
	o.needed = in.Bounds.clamp(o.need)
	o.peaks = in.peaks(previous, o.needed)
	o.target = o.needed
	if len(o.peaks) > 0 {
		o.target = in.Bounds.clamp(max(o.needed, o.peaks[0].Replicas))
	}
	o.desired = in.limited(o.target, previous.Desired, occupied)
	return in.decision(o, previous)
}

// outcome is a decision in the making.
type outcome struct {
	demand
	// need is what the load needs, needed is the same within the bounds, target is what is
	// aimed at because more was needed a short time ago, and desired is the decision.
	need, needed, target, desired int
	peaks                         []Peak
}

// previous is the memory of the decision before. A cluster without one starts
// as if Start had been needed.
func (in *Input) previous() Memory {
	if in.Previous != nil {
		return *in.Previous
	}
	start := in.Bounds.clamp(in.Start)
	return Memory{Desired: start, Needed: start}
}

func (b Bounds) clamp(n int) int { return min(max(n, b.Min), b.Max) }

// silentRetry is the time until another look at a session manager that is silent. When it
// says again what it said before, nobody is woken.
const silentRetry = 10 * time.Second

// keep repeats the last decision within the bounds as they are now. Peaks neither end
// meanwhile nor lift the number again.
func (in *Input) keep(previous Memory) Decision {
	desired := in.Bounds.clamp(previous.Desired)
	memory := Memory{Desired: desired, Needed: previous.Needed, ScaledAt: previous.ScaledAt, Peaks: lowered(previous.Peaks, desired)}
	if desired != previous.Desired {
		memory.ScaledAt = wholeSecond(in.Now)
	}
	return Decision{Desired: desired, Reason: FlameSilent, Message: silentMessage(desired), Memory: memory, After: silentRetry}
}

// peaks returns the larger numbers that were needed within the delay: those known before
// that are not over, and the one that ends now. The latter is at most what was decided,
// since a number that there never was is not kept.
func (in *Input) peaks(previous Memory, needed int) []Peak {
	now := wholeSecond(in.Now)
	list := slices.Clone(previous.Peaks)
	for i := range list {
		// A clock that ran ahead must not lengthen the delay.
		if list[i].EndedAt.After(now) {
			list[i].EndedAt = now
		}
	}
	if peak := min(previous.Needed, previous.Desired); peak > needed {
		list = append(list, Peak{peak, now})
	}
	list = slices.DeleteFunc(list, func(p Peak) bool {
		return p.Replicas <= needed || in.left(p) <= 0
	})
	return fewer(lowered(list, in.Bounds.Max))
}

// left returns how long a peak still counts.
func (in *Input) left(p Peak) time.Duration { return p.EndedAt.Add(in.Bounds.Delay).Sub(in.Now) }

// fewer merges peaks until they are few enough, those first that ended closest together.
// The larger of two then lasts as long as both.
func fewer(peaks []Peak) []Peak {
	for len(peaks) > MaxPeaks {
		closest := 0
		for i := range len(peaks) - 1 {
			if gap(peaks, i) < gap(peaks, closest) {
				closest = i
			}
		}
		peaks[closest].EndedAt = peaks[closest+1].EndedAt
		peaks = slices.Delete(peaks, closest+1, closest+2)
	}
	return peaks
}

func gap(peaks []Peak, i int) time.Duration { return peaks[i+1].EndedAt.Sub(peaks[i].EndedAt) }

// lowered cuts peaks down to a number. Of equal peaks only the last to end is left.
func lowered(peaks []Peak, most int) []Peak {
	var list []Peak
	for _, p := range peaks {
		p.Replicas = min(p.Replicas, most)
		if last := len(list) - 1; last >= 0 && list[last].Replicas == p.Replicas {
			list[last] = p
			continue
		}
		list = append(list, p)
	}
	return list
}

// limited keeps a scale-up from having more than MaxStarting executor managers starting,
// and never takes any away.
func (in *Input) limited(target, before, occupied int) int {
	if in.Bounds.MaxStarting <= 0 || target <= before {
		return target
	}
	ready := 0
	for i := range in.Pods {
		if in.counts(i) && in.Pods[i].Ready {
			ready++
		}
	}
	return min(target, in.Bounds.clamp(max(before, occupied, ready+in.Bounds.MaxStarting)))
}

// counts reports whether a pod has neither ended nor been told to end.
func (in *Input) counts(pod int) bool { return !in.Pods[pod].Terminating && !in.Pods[pod].Finished() }

func (in *Input) decision(o outcome, previous Memory) Decision {
	d := Decision{
		Desired: o.desired, Reason: in.reason(o), Message: in.message(o), Unfit: o.unfit,
		Memory: Memory{Desired: o.desired, Needed: o.needed, ScaledAt: previous.ScaledAt, Peaks: lowered(o.peaks, o.desired)},
	}
	if o.desired != previous.Desired {
		d.Memory.ScaledAt = wholeSecond(in.Now)
	}
	if o.desired > o.needed && len(d.Memory.Peaks) > 0 {
		d.After = in.left(d.Memory.Peaks[0])
	}
	return d
}

func (in *Input) reason(o outcome) Reason {
	switch {
	case len(o.unfit) > 0:
		return Unschedulable
	case o.need > in.Bounds.Max:
		return AtMaximum
	case o.desired < o.target:
		return ScaleUpLimited
	case o.desired > o.needed:
		return ScaleDownDelay
	case o.need < in.Bounds.Min:
		return AtMinimum
	default:
		return FollowingLoad
	}
}

// wholeSecond rounds up, so that what is remembered is never shorter than it was.
func wholeSecond(t time.Time) time.Time {
	if whole := t.Truncate(time.Second); !whole.Equal(t) {
		return whole.Add(time.Second)
	}
	return t
}
