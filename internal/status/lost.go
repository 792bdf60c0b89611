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
	// namedSessions, namedTasks and namedLength bound what a message names: the number of
	// sessions, the number of tasks of each session, and the bytes of an ID with its
	// ellipsis.
	namedSessions, namedTasks, namedLength = 3, 5, 66
)

// lossCount is how many tasks are lost from Flame's queue, and the message about them.
type lossCount struct {
	count   int32
	message string
}

// countLost counts the lost tasks. After a start of the operator the earlier count and
// message stay until Flame has been asked, which takes a moment.
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

// nameLostTasks names the first lost tasks only, since there may be very many.
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

// some joins the first elements of a list, and adds an ellipsis for the others.
func some(list []string, most int, separator string) string {
	if len(list) > most {
		list = append(list[:most:most], "…")
	}
	return strings.Join(list, separator)
}
