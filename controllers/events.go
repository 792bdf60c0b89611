// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/nodes"
	"github.com/xflops/flame-operator/internal/status"
	"github.com/xflops/flame-operator/internal/words"
)

// announce emits an event for each transition that is worth one, and for each session that
// is blocked from now on. Callers store the status first, so that no event tells of what
// never became true.
func (r *FlameClusterReconciler) announce(cluster *flamev1alpha1.FlameCluster, before flamev1alpha1.FlameClusterStatus) {
	for _, condition := range status.Transitions(before.Conditions, cluster.Status.Conditions) {
		r.Recorder.Eventf(cluster, nil, status.EventType(condition), condition.Reason, condition.Type, "%s", words.Cut(condition.Message, longestNote))
	}
	for session, text := range status.BlockedNow(before, cluster.Status) {
		// Events that are alike but for their notes are counted as one, which has the note
		// of the first; so each is related to its session.
		related := &corev1.ObjectReference{Kind: "Session", Namespace: cluster.Namespace, Name: session}
		r.Recorder.Eventf(cluster, related, corev1.EventTypeWarning, flamev1alpha1.ReasonSessionsBlocked, "StartSession", "%s", words.Cut(text, longestNote))
	}
}

// announceUnwritable emits an event in place of a status that the API server does not take,
// because the schema of another operator took a spec that the schema of today does not. The
// recorder counts the repetitions.
func (r *FlameClusterReconciler) announceUnwritable(cluster *flamev1alpha1.FlameCluster) {
	r.Recorder.Eventf(cluster, nil, corev1.EventTypeWarning, flamev1alpha1.ReasonInvalid, "WriteStatus", "%s", words.Cut(cluster.Status.Message, longestNote))
}

// longestNote is the longest note of an event that the API server accepts, in bytes; an
// event with a longer note is lost. The condition holds the whole message.
const longestNote = 1024

// lossEvents explain why an executor manager that runs is of no more use.
var lossEvents = map[nodes.Reason]struct{ reason, text string }{
	nodes.StateLost:        {flamev1alpha1.EventStateLost, "the session manager has lost its memory, and with it the executors of this one"},
	nodes.GivenUp:          {flamev1alpha1.EventGivenUp, "Flame has given up its node"},
	nodes.Unlisted:         {flamev1alpha1.EventUnlisted, "it is connected, and Flame does not know its node"},
	nodes.CutOff:           {flamev1alpha1.EventCutOff, "it does not get back to the session manager"},
	nodes.Deaf:             {flamev1alpha1.EventDeaf, "it does not take the executors that Flame gives it"},
	nodes.RestartedInPlace: {flamev1alpha1.EventRestartedInPlace, "it was restarted in place, and Flame takes it for what it was before"},
}

// announceLoss emits an event about a pod that was deleted because it is of no more use.
func (p *pass) announceLoss(pod *corev1.Pod, loss nodes.Loss) {
	told := lossEvents[loss.Reason]
	p.r.Recorder.Eventf(p.cluster, pod, corev1.EventTypeWarning, told.reason, "ReplaceExecutorManager",
		"executor manager %s is of no more use: %s (since %s)", pod.Name, told.text, loss.Since.UTC().Format(time.RFC3339))
}

const (
	// inquiryDelay is the time between two looks at the events about one thing.
	inquiryDelay = 30 * time.Second
	// mostEvents is how many events about an object are read. There are few, since events
	// that are alike are counted, and go after an hour.
	mostEvents = 100
)

// eventsAbout returns the events about an object. Nothing depends on them but words, so an
// answer that fails is no failure of the pass.
func (p *pass) eventsAbout(ctx context.Context, object types.UID) []eventsv1.Event {
	var list eventsv1.EventList
	err := p.r.Live.List(ctx, &list, client.InNamespace(p.cluster.Namespace),
		client.MatchingFields{"regarding.uid": string(object)}, client.Limit(mostEvents))
	if err != nil {
		log.FromContext(ctx).Info("Cannot list the events about an object", "uid", object, "error", err.Error())
	}
	return list.Items
}
