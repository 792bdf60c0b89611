// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/test/clusters"
)

// blocked is an open session that reached its limit some seconds ago.
func blocked(id string, ago int, why string) observation.Session {
	return observation.Session{ID: id, Open: true, Pending: 1, BlockedAt: now.Add(-time.Duration(ago) * time.Second), BlockedWhy: why}
}

// lists has Flame list sessions to a cluster that is ready, with the status that it had.
func lists(t *testing.T, before flamev1alpha1.FlameClusterStatus, sessions ...observation.Session) flamev1alpha1.FlameClusterStatus {
	cluster := clusters.Parse(t, clusters.Minimal)
	cluster.Status = before
	f := facts(ptr.To(pod(ready, started(600))), pod(ready)).of(cluster)
	f.Flame = observation.Latest{}.Seen(observation.Observation{At: now, Sessions: sessions})
	return Compute(f)
}

func TestASessionThatCannotStartIsAWarningWithFlamesOwnReason(t *testing.T) {
	const why = "application installation failed: Python installation failed for app <a>"
	got := lists(t, flamev1alpha1.FlameClusterStatus{},
		blocked("of before the last start", 3600, "x"), blocked("s", 60, why), observation.Session{ID: "well", Open: true})
	condition := meta.FindStatusCondition(got.Conditions, flamev1alpha1.ConditionSessionManagerReady)
	assert.Equal(t, metav1.ConditionTrue, condition.Status)
	assert.Equal(t, flamev1alpha1.ReasonSessionsBlocked, condition.Reason)
	assert.Equal(t, `the session manager is ready, but 1 session got no more executors after sessionRetryLimit failed starts (session "s": `+why+
		`): close them, or mend their applications and have the session manager replaced`, condition.Message)
	assert.Equal(t, "the session manager and 1 executor managers are ready; 1 session cannot start, see status.load.blocked", got.Message)
	assert.Equal(t, []flamev1alpha1.BlockedSession{{Session: "s", Reason: why}}, got.Load.Blocked)
	assert.Equal(t, int32(1), got.Load.SessionsBlocked)
	assert.Empty(t, Transitions(nil, []metav1.Condition{*condition}), "each session is told by itself")
}

func TestABlockedSessionIsToldOnce(t *testing.T) {
	none := flamev1alpha1.FlameClusterStatus{}
	first := lists(t, none, blocked("b", 20, "why"))
	assert.Equal(t, map[string]string{"b": `no more executors after sessionRetryLimit failed starts: session "b": why`}, BlockedNow(none, first))
	assert.Empty(t, BlockedNow(first, lists(t, first, blocked("b", 20, "another reason"))))
	second := lists(t, first, blocked("a", 10, ""), blocked("b", 20, "why"))
	assert.Equal(t, map[string]string{"a": `no more executors after sessionRetryLimit failed starts: session "a"`}, BlockedNow(first, second))
	assert.Empty(t, BlockedNow(second, lists(t, second, blocked("a", 10, ""))))
	silent := facts(ptr.To(pod(ready, started(600))), pod(ready)).of(clusters.Parse(t, clusters.Minimal))
	silent.Cluster.Status = second
	assert.Empty(t, BlockedNow(second, Compute(silent)), "Flame has not been heard since the operator started")
	assert.Equal(t, second.Load, Compute(silent).Load)
}

func TestVeryManyBlockedSessionsAreCountedAndTheFirstNamed(t *testing.T) {
	var all []observation.Session
	for i := range 200 {
		all = append(all, blocked(fmt.Sprintf("%03d-%s", i, strings.Repeat("n", 250)), 300-i, strings.Repeat("w", 500)))
	}
	got := lists(t, flamev1alpha1.FlameClusterStatus{}, all...)
	assert.Equal(t, int32(200), got.Load.SessionsBlocked)
	assert.Len(t, got.Load.Blocked, mostBlocked)
	assert.Equal(t, all[0].ID, got.Load.Blocked[0].Session)
	news := BlockedNow(flamev1alpha1.FlameClusterStatus{}, got)
	assert.Len(t, news, mostBlocked)
	for _, text := range news {
		assert.LessOrEqual(t, len(text), 1024)
	}
	condition := meta.FindStatusCondition(got.Conditions, flamev1alpha1.ConditionSessionManagerReady)
	assert.Contains(t, condition.Message, "; …): close them")
	assert.LessOrEqual(t, len(condition.Message), longestMessage)
}
