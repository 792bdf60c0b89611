// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"slices"
	"testing"
	"time"

	"github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/xflops/flame-operator/test/apiserver"
	"github.com/xflops/flame-operator/test/scorecard/report"
	"github.com/xflops/flame-operator/test/scorecard/runner"
)

// enough lets what happens do so on a busy machine; brief is enough for that, too,
// and does not wait in vain for long.
var (
	enough = patience{
		seen: time.Minute, start: 30 * time.Second, step: 30 * time.Second, still: 10 * time.Millisecond, interval: 20 * time.Millisecond,
	}
	brief = patience{
		seen: time.Minute, start: 30 * time.Second, step: 5 * time.Second, still: 10 * time.Millisecond, interval: 20 * time.Millisecond,
	}
)

// unhurried is a user whose requests are not held back.
func unhurried(config *rest.Config) *rest.Config {
	config.QPS = -1
	return config
}

// verdictOn runs a test with an operator of some flaw, with the shipped rights.
func verdictOn(t *testing.T, name string, flaw flaw, p patience) (string, error) {
	t.Helper()
	list, namespace := suite(t, unhurried, p)
	startWorld(t, apiserver.Client(t), namespace, flaw)
	at := slices.IndexFunc(list, func(test runner.Test) bool { return test.Name == name })
	require.GreaterOrEqual(t, at, 0)
	log := &runner.Log{}
	err := list[at].Run(t.Context(), log)
	return log.String(), err
}

// finding is what a test says of an operator with a flaw, nothing being praise.
// Whatever it waits for in vain it waits for as long as it may.
type finding struct {
	flaw   flaw
	want   string
	inVain bool
}

type findings map[string]finding

func (f findings) run(t *testing.T, name string, praise ...string) {
	t.Helper()
	for operator, test := range f {
		t.Run(operator, func(t *testing.T) {
			t.Parallel()
			p := enough
			if test.inVain {
				p = brief
			}
			log, err := verdictOn(t, name, test.flaw, p)
			assert.Contains(t, log, "removed FlameCluster")
			if test.want == "" {
				require.NoError(t, err, log)
				for _, words := range praise {
					assert.Contains(t, log, words)
				}
				return
			}
			require.ErrorContains(t, err, test.want, log)
			problem := &report.Problem{}
			require.ErrorAs(t, err, &problem)
			assert.Equal(t, v1alpha3.FailState, problem.State, "it is the operator's failure")
		})
	}
}

func TestUpdateWhileBusy(t *testing.T) {
	findings{
		"one that loses nothing passes":        {flaw: none},
		"a task runs twice":                    {flaw: runsATaskTwice, want: "was executed 2 times"},
		"a task fails":                         {flaw: failsATask, want: "ended TASK_STATE_FAILED"},
		"a task is lost":                       {flaw: losesATask, want: "were given to it"},
		"an old executor manager stays":        {flaw: keepsAnOldOne, want: "executor managers run where 2 ran before", inVain: true},
		"the new executor managers do nothing": {flaw: newOnesGetNothing, want: "ran on any of"},
		"an old executor manager never works":  {flaw: oneIsIdle, want: "have nothing to do", inVain: true},
		"the session manager is replaced, too": {flaw: replacesTheSessionManager, want: "the session-manager was replaced"},
	}.run(t, "flamecluster-updates-while-busy", "is replaced while tasks wait", "was executed once", "gave way to")
}

func TestAutoscales(t *testing.T) {
	findings{
		"one that follows the load passes":       {flaw: none},
		"it does not grow":                       {flaw: neverGrows, want: "0 executor managers are wanted and 0 needed", inVain: true},
		"it starts no more than one":             {flaw: growsToOne, want: "1 executor managers are wanted and 1 needed", inVain: true},
		"it decides and does nothing":            {flaw: onlyDecides, want: "of 3 wanted executor managers there are 0", inVain: true},
		"it starts more than may be":             {flaw: overshoots, want: "4 executor managers run where maxReplicas is 3"},
		"it says that it does not follow":        {flaw: saysNothing, want: "ScalingActive is False and not True", inVain: true},
		"it does not shrink":                     {flaw: neverShrinks, want: "of 3 wanted and 3 needed executor managers there are 3", inVain: true},
		"it says that none is left though 3 are": {flaw: hidesThree, want: "says that no executor manager is left"},
		"a task runs twice":                      {flaw: runsATaskTwice, want: "was executed 2 times"},
	}.run(t, "flamecluster-autoscales", "3 executor managers work", "was executed once", "no executor manager is left")
}
