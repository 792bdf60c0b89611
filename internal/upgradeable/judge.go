// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package upgradeable

import (
	"fmt"
	"slices"
	"strings"
	"time"

	operatorsv2 "github.com/operator-framework/api/pkg/operators/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Reasons of the condition.
const (
	reasonReplacing = "ReplacingSessionManager"
	reasonGivenUp   = "GaveUpWaiting"
	reasonReady     = "NothingUnderWay"
)

// patience is how long a cluster is waited for, from when its session manager began to be
// replaced. A replacement takes three seconds and the half minute that a pod is given to
// end: one that takes ten times as long hangs. An update that comes all the same costs
// little, since the new operator goes on where the old one was.
const patience = 5 * time.Minute

// named is how many clusters a message names at most.
const named = 3

// judge returns the condition, given since when the session managers of clusters are being
// replaced, and for how long it stays as it is; zero if time alone changes nothing.
func judge(since map[types.NamespacedName]time.Time, now time.Time) (metav1.Condition, time.Duration) {
	var waitedFor, givenUp []string
	var next time.Duration
	for cluster, began := range since {
		text := fmt.Sprintf("%s since %s", cluster, began.UTC().Format(time.RFC3339))
		left := began.Add(patience).Sub(now)
		if left <= 0 {
			givenUp = append(givenUp, text)
			continue
		}
		waitedFor = append(waitedFor, text)
		next = sooner(next, left)
	}
	condition := metav1.Condition{Type: operatorsv2.Upgradeable, Status: metav1.ConditionTrue}
	replacing := "the session managers of these FlameClusters are being replaced: " + list(waitedFor)
	gaveUp := fmt.Sprintf("gave up waiting after %d minutes for the session managers of these FlameClusters to be replaced: %s", int(patience.Minutes()), list(givenUp))
	switch {
	case len(waitedFor) > 0 && len(givenUp) > 0:
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, reasonReplacing, replacing+"; "+gaveUp
	case len(waitedFor) > 0:
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, reasonReplacing, replacing
	case len(givenUp) > 0:
		condition.Reason, condition.Message = reasonGivenUp, gaveUp
	default:
		condition.Reason, condition.Message = reasonReady, "no session manager is being replaced"
	}
	return condition, next
}

// list returns the first few texts in their order, and how many more there are.
func list(texts []string) string {
	slices.Sort(texts)
	if len(texts) <= named {
		return strings.Join(texts, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(texts[:named], ", "), len(texts)-named)
}

// sooner returns the shorter of two waits, of which zero is none.
func sooner(a, b time.Duration) time.Duration {
	if a <= 0 || b > 0 && b < a {
		return b
	}
	return a
}
