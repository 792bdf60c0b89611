// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/test/clusters"
)

func TestWhyFlameIsSilentIsSaidInWordsThatStayTheSame(t *testing.T) {
	large := &observation.TooLarge{What: "its list of sessions has 41 MiB, of 32 MiB at most", Cure: "lower sessionManager.maxSessions"}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"what it answers with is left out":       {fmt.Errorf("list: %w: anything, %s", observation.ErrAnswer, now), "the session manager answers with an error"},
		"what is too large is named with a cure": {fmt.Errorf("list the sessions of Flame: %w", large), "the session manager answers with more than the operator takes: its list of sessions has 41 MiB, of 32 MiB at most; lower sessionManager.maxSessions"},
	} {
		t.Run(name, func(t *testing.T) {
			f := facts(ptr.To(pod(ready, started(600))), pod(ready)).of(clusters.Parse(t, clusters.Minimal))
			f.Flame = observation.Latest{}.Seen(observation.Observation{At: now.Add(-time.Hour)}).Failed(test.err, now.Add(-time.Minute))
			condition := meta.FindStatusCondition(Compute(f).Conditions, flamev1alpha1.ConditionSessionManagerReady)
			assert.Equal(t, flamev1alpha1.ReasonFlameSilent, condition.Reason)
			assert.Equal(t, "the session manager is not heard by the operator: "+test.want, condition.Message)
		})
	}
}

func TestRoomIsWhatANodeThatIsReadyHasLeft(t *testing.T) {
	node := func(name string, state observation.NodeState, cpu, gpu int64) observation.Node {
		return observation.Node{Name: name, State: state, Allocatable: observation.Resources{CPU: cpu, GPU: gpu}}
	}
	free := freeRooms(observation.Observation{
		Nodes: []observation.Node{
			node("a", observation.Ready, 4, 0), node("b", observation.Ready, 2, 2), node("c", observation.Ready, 8, 1), node("d", observation.NotReady, 64, 8),
		},
		Executors: []observation.Executor{
			{Node: "c", Resreq: observation.Resources{CPU: 4, GPU: 1}}, {Node: "c", Resreq: observation.Resources{CPU: 3}}, {Node: "gone", Resreq: observation.Resources{CPU: 9}},
		},
	})
	for request, want := range map[observation.Resources]bool{
		{}: true, {CPU: 4}: true, {CPU: 5}: false, {CPU: 2, GPU: 2}: true, {CPU: 1, GPU: 1}: true, {CPU: 3, GPU: 1}: false, {GPU: 3}: false,
	} {
		assert.Equal(t, want, free.hold(request), "%+v", request)
	}
	assert.False(t, rooms(nil).hold(observation.Resources{}))
}

func TestSchedulerThatStandsStillIsToldForAnyNumberOfSessions(t *testing.T) {
	o := observation.Observation{Nodes: []observation.Node{{Name: "n", State: observation.Ready, Allocatable: observation.Resources{CPU: 1 << 20}}}}
	for i := range 20_000 {
		size := &observation.Resources{CPU: int64(i)}
		o.Sessions = append(o.Sessions, observation.Session{ID: fmt.Sprintf("%05d", i), Open: true, Pending: 1, Resreq: size})
		o.Executors = append(o.Executors, observation.Executor{ID: fmt.Sprintf("%05d", i), Node: "m"})
	}
	first := o
	first.At, o.At = now.Add(-2*time.Minute), now
	f := facts(ptr.To(pod(ready, started(600))), pod(ready)).of(clusters.Parse(t, clusters.Minimal))
	f.Flame = observation.Latest{}.Seen(first).Seen(o)
	condition := meta.FindStatusCondition(Compute(f).Conditions, flamev1alpha1.ConditionSessionManagerReady)
	assert.Equal(t, flamev1alpha1.ReasonNotScheduling, condition.Reason)
	assert.Contains(t, condition.Message, "starts none of 20000 waiting tasks")
}

func TestVeryManyLostTasksAreCountedAndAFewNamed(t *testing.T) {
	tasks := make([]int64, 200_000)
	for i := range tasks {
		tasks[i] = int64(i + 1)
	}
	f := facts(ptr.To(pod(ready, started(600))), pod(ready)).of(clusters.Parse(t, clusters.Minimal))
	f.Flame = lacks(map[string][]int64{"s": tasks})
	got := Compute(f)
	condition := meta.FindStatusCondition(got.Conditions, flamev1alpha1.ConditionSessionManagerReady)
	assert.Contains(t, condition.Message, `200000 tasks are lost from its queue (session "s": 1, 2, 3, 4, 5, …)`)
	assert.Equal(t, int32(200_000), got.Load.TasksLost)
}
