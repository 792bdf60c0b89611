// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/test/apiserver"
	"github.com/xflops/flame-operator/test/clusters"
)

// warnings returns the warnings since the last call that are of a reason.
func (h *harness) warnings(reason string) []string {
	var list []string
	for _, event := range h.events() {
		if strings.HasPrefix(event, "Warning "+reason+" ") {
			list = append(list, event)
		}
	}
	return list
}

func (h *harness) lists(sessions ...observation.Session) {
	h.flame.mu.Lock()
	defer h.flame.mu.Unlock()
	h.flame.sessions = sessions
}

func TestASessionThatIsBlockedIsOneEvent(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	h.now = h.now.Add(time.Minute)
	first := observation.Session{ID: "first", Open: true, Pending: 1, BlockedAt: h.now, BlockedWhy: "no such package"}
	h.lists(first)
	h.settle(cluster)
	assert.Equal(t, flamev1alpha1.ReasonSessionsBlocked, meta.FindStatusCondition(cluster.Status.Conditions, flamev1alpha1.ConditionSessionManagerReady).Reason)
	assert.Equal(t, []string{
		`Warning SessionsBlocked no more executors after sessionRetryLimit failed starts: session "first": no such package`,
	}, h.warnings(flamev1alpha1.ReasonSessionsBlocked))
	second := observation.Session{ID: "second", Open: true, Pending: 1, BlockedAt: h.now.Add(time.Second), BlockedWhy: "no memory"}
	h.lists(first, second)
	h.settle(cluster)
	assert.Len(t, h.warnings(flamev1alpha1.ReasonSessionsBlocked), 1, "the second alone")
	h.restart()
	h.lists(first, second)
	h.settle(cluster)
	assert.Empty(t, h.warnings(flamev1alpha1.ReasonSessionsBlocked), "they were told")
}

// The recorder counts events that are alike as one, and leaves the later notes out.
func TestTwoSessionsThatAreBlockedAreTwoEventsForTheAPIServer(t *testing.T) {
	c := apiserver.Client(t)
	cluster := clusters.Parse(t, clusters.Minimal)
	cluster.Namespace = apiserver.Namespace(t, c)
	clientset, err := kubernetes.NewForConfig(apiserver.Config)
	require.NoError(t, err)
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: clientset.EventsV1()})
	require.NoError(t, broadcaster.StartRecordingToSinkWithContext(t.Context()))
	defer broadcaster.Shutdown()
	r := &FlameClusterReconciler{Recorder: broadcaster.NewRecorder(apiserver.Scheme(t), "flame-operator")}
	cluster.Status.Load = &flamev1alpha1.LoadStatus{Blocked: []flamev1alpha1.BlockedSession{
		{Session: "a", Reason: "why"}, {Session: strings.Repeat("b", 255), Reason: strings.Repeat("w", 5000)},
	}}
	r.announce(cluster, flamev1alpha1.FlameClusterStatus{})
	require.Eventually(t, func() bool {
		var list eventsv1.EventList
		require.NoError(t, c.List(t.Context(), &list, client.InNamespace(cluster.Namespace)))
		return len(list.Items) == 2
	}, 10*time.Second, 50*time.Millisecond)
}

func TestAClusterWhoseStatusCannotBeWrittenHasAnEvent(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.ServiceAccountName = "No_Name" })
	h.requests.fail = func(request *http.Request) *http.Response {
		if !strings.HasSuffix(request.URL.Path, "/status") {
			return nil
		}
		answer := refusal(request)
		answer.StatusCode = http.StatusUnprocessableEntity
		answer.Body = io.NopCloser(strings.NewReader(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"spec.slot is no object","reason":"Invalid","code":422}`))
		return answer
	}
	_, err := h.step(cluster)
	require.ErrorContains(t, err, "spec.slot is no object")
	told := h.warnings(flamev1alpha1.ReasonInvalid)
	require.Len(t, told, 1)
	assert.Contains(t, told[0], `Warning Invalid serviceAccountName is "No_Name", which no ServiceAccount can be called`)
}
