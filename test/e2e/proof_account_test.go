// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/live"
)

// account accounts for each execution of each task.
func (p *proof) account(t *testing.T) {
	tasks, err := p.load.histories(t.Context())
	require.NoError(t, err)
	violence := live.Violence{Kills: p.chaos.killed(), Starts: p.witness.starts()}
	sum := summary{proof: p, kills: violence.Kills, causes: map[live.Cause]int{}, ran: map[int]int{}, orderly: map[string]bool{}}
	for _, task := range tasks {
		repeats := violence.Repeats(task.Executions)
		sum.add(task, repeats)
		told := historyOf(task, violence.Kills)
		if task.State != flamev1.TaskState_TASK_STATE_SUCCEED {
			// All had succeeded when their sessions were closed.
			sum.putBack++
			assert.Truef(t, violence.PutBack(task.Executions), "%s; session managers started at %v", told, violence.Starts)
		}
		assert.NotEmpty(t, task.Executions, told)
		assert.NotContainsf(t, repeats, live.Unexplained, "%s; session managers started at %v", told, violence.Starts)
	}
	t.Log(sum.String())

	assert.GreaterOrEqual(t, len(tasks), proofTasks)
	assert.Len(t, tasks, p.load.planned, "no task is lost and none comes from nowhere")
	for _, what := range orderly {
		assert.Positive(t, p.happened[what], what)
	}
	for _, what := range deck {
		assert.Positive(t, p.chaos.counts[what], what)
	}
}

// historyOf says all that is known of a task.
func historyOf(task live.Task, kills map[string]live.Kill) string {
	var out strings.Builder
	fmt.Fprintf(&out, "task %s/%s, %s", task.Session, task.ID, task.State)
	for _, execution := range task.Executions {
		fmt.Fprintf(&out, "; %s on %q", execution.At.Format("15:04:05.000"), execution.Node)
		if execution.Again {
			out.WriteString(" again")
		}
		if kill, found := kills[execution.Node]; found {
			fmt.Fprintf(&out, " (killed %s)", kill.At.Format("15:04:05.000"))
		}
	}
	return out.String()
}

// assertRestarts makes sure that nothing restarted but what was killed, and that
// each session manager was somebody's doing.
func (p *proof) assertRestarts(t *testing.T) {
	sessionManagers, restarts := p.witness.restarts(t)
	assert.Len(t, sessionManagers, 1+p.chaos.counts[sessionManagerReplaced], "the pods of session managers")
	for uid, count := range restarts {
		assert.EqualValuesf(t, p.chaos.crashes[uid], count, "restarts of containers of pod %s", uid)
	}
	pods, err := operatorPods(t.Context())
	require.NoError(t, err)
	for _, pod := range pods {
		for _, status := range pod.Status.ContainerStatuses {
			assert.Zerof(t, status.RestartCount, "restarts of the operator in pod %s", pod.Name)
		}
	}
}

// summary is what there is to say when all is done.
type summary struct {
	proof *proof
	kills map[string]live.Kill

	tasks, executions int
	// ran is how many tasks ran how often, causes why executions were repeated.
	ran    map[int]int
	causes map[live.Cause]int
	// orderly are the executor managers that ran tasks and were not killed,
	// onOrderly the executions there.
	orderly   map[string]bool
	onOrderly int
	// putBack are tasks that had succeeded, and were put back later.
	putBack int
}

func (s *summary) add(task live.Task, repeats []live.Cause) {
	s.tasks++
	s.executions += len(task.Executions)
	s.ran[len(task.Executions)]++
	for _, cause := range repeats {
		s.causes[cause]++
	}
	for _, execution := range task.Executions {
		if _, killed := s.kills[execution.Node]; !killed && execution.Node != "" {
			s.orderly[execution.Node] = true
			s.onOrderly++
		}
	}
}

func (s *summary) String() string {
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	row := func(what string, count int) { _, _ = fmt.Fprintf(table, "%s\t%d\n", what, count) }
	_, _ = fmt.Fprintln(table, "what became of everything:")
	row("sessions", len(s.proof.load.sessions))
	row("tasks", s.tasks)
	row("executions", s.executions)
	for _, times := range slices.Sorted(maps.Keys(s.ran)) {
		row(fmt.Sprintf("tasks that ran %d times", times), s.ran[times])
	}
	for _, cause := range []live.Cause{live.ExecutorManagerKilled, live.SessionManagerKilled, live.PutBackTwice, live.Unexplained} {
		row("executions repeated, "+string(cause), s.causes[cause])
	}
	row("tasks put back, though they had succeeded, with a ghost", s.putBack)
	row("executor managers that ran tasks and were not killed", len(s.orderly))
	row("executions there", s.onOrderly)
	for _, what := range orderly {
		row(what, s.proof.happened[what])
	}
	for _, what := range slices.Compact(slices.Sorted(slices.Values(deck))) {
		row("killed "+what, s.proof.chaos.counts[what])
	}
	_ = table.Flush()
	return out.String()
}
