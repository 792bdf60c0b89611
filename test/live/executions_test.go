// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"k8s.io/utils/ptr"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

func TestHistory(t *testing.T) {
	event := func(state flamev1.TaskState, milliseconds int64, message string) *flamev1.Event {
		return &flamev1.Event{Code: int32(state), Message: ptr.To(message), CreationTime: milliseconds}
	}
	const (
		pending = flamev1.TaskState_TASK_STATE_PENDING
		running = flamev1.TaskState_TASK_STATE_RUNNING
		succeed = flamev1.TaskState_TASK_STATE_SUCCEED
	)
	for name, test := range map[string]struct {
		events []*flamev1.Event
		output string
		want   []Execution
	}{
		"a task that waits": {
			events: []*flamev1.Event{event(pending, 1000, "Task was created with state <Pending>")},
		},
		"the stand-in names the node of each": {
			events: []*flamev1.Event{
				event(running, 2000, "Task state was updated to <Running> on node <one>"),
				event(running, 4500, "Task was launched again on node <one>"),
				event(running, 5000, "Task state was updated to <Running> on node <two>"),
				event(succeed, 7000, "Task was completed with state <Succeed>"),
			},
			output: `{"message":"Completed on <one> in <2000> milliseconds with <0> memory"}`,
			want: []Execution{
				{Node: "one", At: time.UnixMilli(2000)},
				{Node: "one", At: time.UnixMilli(4500), Again: true},
				{Node: "two", At: time.UnixMilli(5000)},
			},
		},
		"of Flame only the last one's is known": {
			events: []*flamev1.Event{
				event(running, 2000, "Task state was updated to <Running>"),
				event(running, 4000, "Task state was updated to <Running>"),
			},
			output: `{"message":"Completed on <two> in <2000> milliseconds with <0> memory"}`,
			want:   []Execution{{At: time.UnixMilli(2000)}, {Node: "two", At: time.UnixMilli(4000)}},
		},
		"and while it runs none": {
			events: []*flamev1.Event{event(running, 2000, "Task state was updated to <Running>")},
			want:   []Execution{{At: time.UnixMilli(2000)}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := historyOf("s", &flamev1.Task{
				Metadata: &flamev1.Metadata{Id: "7"},
				Spec:     &flamev1.TaskSpec{Output: []byte(test.output)},
				Status:   &flamev1.TaskStatus{State: running, Events: test.events},
			})
			assert.Equal(t, Task{Session: "s", ID: "7", State: running, Executions: test.want}, got)
		})
	}
}
