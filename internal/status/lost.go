// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/words"
)

const (
	// namedSessions, namedTasks and namedLength bound what a message names: so many
	// sessions, tasks of each, and bytes of an ID with its ellipsis.
	namedSessions, namedTasks, namedLength = 3, 5, 66
)

// lossCount is how many tasks are lost from Flame's queue, and what is to be said
// of it.
type lossCount struct {
	count   int32
	message string
}

// countLost keeps what was said before until it is known again, which takes a
// moment after a start of the operator.
//
// Flame workaround: lost-tasks
func (c *computation) countLost() lossCount {
	before := meta.FindStatusCondition(c.old.Conditions, flamev1alpha1.ConditionSessionManagerReady)
	if before != nil && before.Reason == flamev1alpha1.ReasonTasksLost && c.old.Load != nil && !c.Flame.Inquired() {
		return lossCount{c.old.Load.TasksLost, before.Message}
	}
	lost := c.Flame.LostTasks(c.sessionManagerStart())
	count := 0
	for _, session := range lost {
		count += len(session.Tasks)
	}
	if count == 0 {
		return lossCount{}
	}
	cure := "change an annotation in sessionManager.podTemplate to have it replaced, which brings them back"
	if !desired.OutlivesPod(c.Cluster.Spec.SessionManager.Storage) {
		cure = "they cannot be brought back, because sessionManager.storage does not outlive the pod; give their work to a new session"
	}
	return lossCount{int32(count), fmt.Sprintf("the session manager is ready, but %d tasks are lost from its queue (%s): %s",
		count, nameLostTasks(lost), cure)}
}

// nameLostTasks makes words of no more than are named, since there may be very many.
func nameLostTasks(lost []observation.LostTasks) string {
	var sessions []string
	for _, session := range lost[:min(len(lost), namedSessions+1)] {
		var tasks []string
		for _, id := range session.Tasks[:min(len(session.Tasks), namedTasks+1)] {
			tasks = append(tasks, strconv.FormatInt(id, 10))
		}
		sessions = append(sessions, fmt.Sprintf("session %q: %s", words.Cut(session.Session, namedLength), some(tasks, namedTasks, ", ")))
	}
	return some(sessions, namedSessions, "; ")
}

// some joins the first of a list.
func some(list []string, most int, separator string) string {
	if len(list) > most {
		list = append(list[:most:most], "…")
	}
	return strings.Join(list, separator)
}
