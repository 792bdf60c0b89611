// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/words"
)

// mostBlocked is how many blocked sessions a status names.
const mostBlocked = 10

// blockedSessions counts the sessions that have reached sessionRetryLimit, and names the
// first ones, the longest blocked first. A session thus stays named until it is gone.
func (c *computation) blockedSessions() (int32, []flamev1alpha1.BlockedSession) {
	var blocked []observation.Session
	for _, session := range c.Flame.Observation.Sessions {
		if session.Open && session.Blocked(c.sessionManagerStart()) {
			blocked = append(blocked, session)
		}
	}
	slices.SortFunc(blocked, func(a, b observation.Session) int {
		return cmp.Or(a.BlockedAt.Compare(b.BlockedAt), strings.Compare(a.ID, b.ID))
	})
	var named []flamev1alpha1.BlockedSession
	for _, session := range blocked[:min(len(blocked), mostBlocked)] {
		named = append(named, flamev1alpha1.BlockedSession{Session: session.ID, Reason: session.BlockedWhy})
	}
	return int32(len(blocked)), named
}

// sayBlocked says which sessions get no more executors, or nothing if there are none.
func sayBlocked(load *flamev1alpha1.LoadStatus) string {
	if load == nil || load.SessionsBlocked == 0 {
		return ""
	}
	var told []string
	for _, session := range load.Blocked {
		told = append(told, nameBlocked(session))
	}
	if int(load.SessionsBlocked) > len(load.Blocked) {
		told = append(told, "…")
	}
	return fmt.Sprintf("%s got no more executors after sessionRetryLimit failed starts (%s): close them, "+
		"or mend their applications and have the session manager replaced", words.Count(load.SessionsBlocked, "session"), strings.Join(told, "; "))
}

func nameBlocked(session flamev1alpha1.BlockedSession) string {
	text := fmt.Sprintf("session %q", words.Cut(session.Session, namedLength))
	if session.Reason != "" {
		text += ": " + session.Reason
	}
	return text
}

// BlockedNow returns the sessions that are blocked now and were not before, and so are
// worth an event each, with what is told of it.
func BlockedNow(before, now flamev1alpha1.FlameClusterStatus) map[string]string {
	news := map[string]string{}
	for _, session := range ptr.Deref(now.Load, flamev1alpha1.LoadStatus{}).Blocked {
		news[words.Cut(session.Session, namedLength)] = "no more executors after sessionRetryLimit failed starts: " + nameBlocked(session)
	}
	for _, session := range ptr.Deref(before.Load, flamev1alpha1.LoadStatus{}).Blocked {
		delete(news, words.Cut(session.Session, namedLength))
	}
	return news
}
