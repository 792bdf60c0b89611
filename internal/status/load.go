// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/autoscale"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

const (
	// silence is how long Flame may be silent before the session manager counts as not
	// ready: a shorter time does not tell a slow session manager from one that hangs.
	silence = time.Minute
	// standstill is how long tasks may wait beside free CPUs before the scheduler
	// counts as stuck. Flame schedules ten times a second.
	standstill = time.Minute
)

// computeLoad returns the load of the session manager. While Flame is silent its last word
// stands, even one that an earlier operator heard.
func (c *computation) computeLoad() *flamev1alpha1.LoadStatus {
	switch {
	case c.Cluster.Spec.Suspend:
		return nil
	case !c.Flame.Known():
		return c.old.Load
	}
	load := c.Flame.Observation.Load()
	count, blocked := c.blockedSessions()
	return &flamev1alpha1.LoadStatus{
		SessionsOpen:    int32(load.OpenSessions),
		SessionsBlocked: count,
		Blocked:         blocked,
		TasksPending:    int32(load.PendingTasks),
		TasksRunning:    int32(load.RunningTasks),
		TasksLost:       c.lost.count,
	}
}

// TasksRun reports whether a task runs, according to Flame's last word or, without one,
// to the status that an earlier operator wrote.
func TasksRun(cluster *flamev1alpha1.FlameCluster, latest observation.Latest) bool {
	switch {
	case cluster.Spec.Suspend:
		return false
	case latest.Known():
		return latest.Observation.Load().RunningTasks > 0
	default:
		return cluster.Status.Load != nil && cluster.Status.Load.TasksRunning > 0
	}
}

// busy returns the number of executor managers that hold an executor of a session.
func (c *computation) busy() int32 {
	switch {
	case c.Cluster.Spec.Suspend:
		return 0
	case !c.Flame.Known():
		return c.old.ExecutorManager.Busy
	}
	busy := map[string]bool{}
	for _, executor := range c.Flame.Observation.Executors {
		if executor.Busy() {
			busy[executor.Node] = true
		}
	}
	count := int32(0)
	for _, pod := range c.ExecutorManagers {
		if !pod.Terminating && busy[pod.Name] {
			count++
		}
	}
	return count
}

// autoscaling returns the decision of autoscaling. While nothing can be decided the last
// decision stands.
func (c *computation) autoscaling() *flamev1alpha1.AutoscalingStatus {
	switch {
	case c.Cluster.Spec.ExecutorManager.Autoscaling == nil:
		return nil
	case c.Autoscaling == nil:
		return c.old.Autoscaling
	}
	memory := c.Autoscaling.Memory
	status := &flamev1alpha1.AutoscalingStatus{
		DesiredReplicas: int32(memory.Desired),
		NeededReplicas:  int32(memory.Needed),
		Reason:          string(c.Autoscaling.Reason),
	}
	if !memory.ScaledAt.IsZero() {
		status.LastScaleTime = &metav1.Time{Time: memory.ScaledAt}
	}
	for _, peak := range memory.Peaks {
		status.Peaks = append(status.Peaks, flamev1alpha1.AutoscalingPeak{Replicas: int32(peak.Replicas), EndTime: metav1.NewTime(peak.EndedAt)})
	}
	return status
}

// AutoscalingMemory reads from a status what the decision before left there, and returns
// nil if there was none.
func AutoscalingMemory(status *flamev1alpha1.AutoscalingStatus) *autoscale.Memory {
	if status == nil {
		return nil
	}
	memory := &autoscale.Memory{Desired: int(status.DesiredReplicas), Needed: int(status.NeededReplicas)}
	if status.LastScaleTime != nil {
		memory.ScaledAt = status.LastScaleTime.Time
	}
	for _, peak := range status.Peaks {
		memory.Peaks = append(memory.Peaks, autoscale.Peak{Replicas: int(peak.Replicas), EndedAt: peak.EndTime.Time})
	}
	return memory
}

// ReplicasBefore returns how many executor managers are wanted as long as nothing new is
// decided.
func ReplicasBefore(cluster *flamev1alpha1.FlameCluster) int {
	before := cluster.Status.Autoscaling
	if cluster.Spec.ExecutorManager.Autoscaling == nil || before == nil || cluster.Spec.Suspend {
		return desired.Replicas(cluster)
	}
	return int(before.DesiredReplicas)
}

// ReplicasAtStart returns the number from which autoscaling starts if there was no
// decision before: the current number of executor managers for a cluster that autoscales
// from now on, and the replicas of the spec if there is none, as for a new cluster.
func ReplicasAtStart(cluster *flamev1alpha1.FlameCluster) int {
	if live := cluster.Status.ExecutorManager.Replicas; live > 0 {
		return int(live)
	}
	return desired.Replicas(cluster)
}

// scalingActive returns the verdict on whether the number of executor managers follows
// the load.
func (c *computation) scalingActive() verdict {
	switch {
	case c.Cluster.Spec.Suspend:
		return verdict{false, flamev1alpha1.ReasonSuspended, "the cluster is suspended"}
	case c.Autoscaling == nil:
		return verdict{false, flamev1alpha1.ReasonInvalid, "nothing is decided until the spec can run"}
	}
	message := c.Autoscaling.Message
	if c.Autoscaling.Reason == autoscale.FlameSilent && c.Flame.Err != nil {
		message += ": " + sayWhy(c.Flame.Err)
	}
	return verdict{c.Autoscaling.Reason != autoscale.FlameSilent, string(c.Autoscaling.Reason), message}
}

// silent reports whether Flame has not answered the operator for as long as silence.
func (c *computation) silent() bool {
	return c.Flame.Err != nil && c.Now.Sub(c.Flame.FailingSince) >= silence
}

// stuck says what a scheduler that does nothing leaves undone. The text is empty while
// work goes on, no work waits, or there is no room for it.
//
// Flame workaround: probes
func (c *computation) stuck() string {
	since := c.Flame.Track.StalledSince
	if !c.Flame.Known() || c.Flame.Err != nil || since.IsZero() || c.Now.Sub(since) < standstill {
		return ""
	}
	waiting, blocked, started, free := 0, 0, c.sessionManagerStart(), freeRooms(*c.Flame.Observation)
	for _, session := range c.Flame.Observation.Sessions {
		switch {
		case !session.Open || session.Pending == 0:
		case session.Blocked(started):
			blocked++
		case session.Resreq == nil || free.hold(*session.Resreq):
			waiting += session.Pending
		}
	}
	if waiting == 0 || !free.hold(observation.Resources{CPU: c.Cluster.Spec.SessionManager.Slot.CPU.Value()}) {
		return ""
	}
	text := fmt.Sprintf("answers, but starts none of %d waiting tasks although executor managers have room for them", waiting)
	if blocked > 0 {
		text += fmt.Sprintf("; %d sessions have reached sessionRetryLimit, and may hold up those of lower priority", blocked)
	}
	return text
}

// rooms are the free resources of the nodes that are ready, the most CPUs first. The GPUs
// of each element are the most that its node or one before it has free.
type rooms []observation.Resources

func freeRooms(o observation.Observation) rooms {
	used := map[string]observation.Resources{}
	for _, executor := range o.Executors {
		sum := used[executor.Node]
		sum.CPU += executor.Resreq.CPU
		sum.GPU += executor.Resreq.GPU
		used[executor.Node] = sum
	}
	var free rooms
	for _, node := range o.Nodes {
		if node.State == observation.Ready {
			taken := used[node.Name]
			free = append(free, observation.Resources{CPU: node.Allocatable.CPU - taken.CPU, GPU: node.Allocatable.GPU - taken.GPU})
		}
	}
	slices.SortFunc(free, func(a, b observation.Resources) int { return cmp.Compare(b.CPU, a.CPU) })
	for i := 1; i < len(free); i++ {
		free[i].GPU = max(free[i].GPU, free[i-1].GPU)
	}
	return free
}

// hold reports whether one of the nodes has room for one more executor.
func (r rooms) hold(request observation.Resources) bool {
	enough := sort.Search(len(r), func(i int) bool { return r[i].CPU < max(1, request.CPU) })
	return enough > 0 && r[enough-1].GPU >= request.GPU
}
