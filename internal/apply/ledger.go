// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// grace is how long a pod that was created counts although the cache does not
// show it; after that the server is asked.
const grace = 5 * time.Second

// ledger is what is remembered of one owner's pods. A pod is
//
//   - unseen from its creation until the cache shows it,
//   - seen from then on, and
//   - deleted as soon as its deletion was accepted or the cache shows it.
//
// An unseen pod counts for its grace. A deleted pod that leaves the cache is
// gone. Any other that leaves it, or does not come, is asked for by name.
type ledger struct {
	mu      sync.Mutex
	entries map[string]*entry
	// pass counts the lists, to tell which entries the last one showed.
	pass int
	// surveyed says that no pods exist which neither the cache nor the ledger knows.
	surveyed bool
	// proven is how many pods the last creation made without an error, at provenAt.
	proven   int
	provenAt time.Time
}

type entry struct {
	// uid is empty for a pod of which it is not known whether it was created.
	uid types.UID
	// pod is what a list returns while the cache has nothing.
	pod *corev1.Pod
	// askAt is when to ask the server for an unseen pod.
	askAt   time.Time
	pass    int
	seen    bool
	deleted bool
}

func newLedger(reconciled bool) *ledger {
	return &ledger{entries: map[string]*entry{}, surveyed: !reconciled}
}

// pace is how long a creation that went well says that the next one will, too.
const pace = 5 * time.Second

// firstBatch is how many pods to create at first, before it shows whether that works.
func (l *ledger) firstBatch(now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.provenAt) >= pace {
		return 1
	}
	return max(1, l.proven)
}

// tried enters how a creation went.
func (l *ledger) tried(count int, err error, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.proven, l.provenAt = count, now; err != nil {
		l.proven = 0
	}
}

// created enters a pod that the server has, or without a UID one that it may have.
func (l *ledger) created(pod *corev1.Pod, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[pod.Name] = &entry{uid: pod.UID, pod: pod, askAt: now.Add(grace)}
}

// found enters a pod that exists although neither the cache nor the ledger
// showed it. It returns false if the ledger knows it.
func (l *ledger) found(name string, uid types.UID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.entries[name]; known {
		return false
	}
	l.entries[name] = &entry{uid: uid}
	return true
}

// deleted enters that a deletion was accepted.
func (l *ledger) deleted(pod *corev1.Pod) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.entries[pod.Name]
	if !ok || at.uid != pod.UID {
		at = &entry{uid: pod.UID, seen: true}
		l.entries[pod.Name] = at
	}
	at.deleted = true
}

// drop strikes out a pod that is proven not to exist.
func (l *ledger) drop(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.entries, name)
}

// knows says whether a pod is in the ledger.
func (l *ledger) knows(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.entries[name]
	return ok
}

// proved enters what the server answered about a pod that the cache does not show.
func (l *ledger) proved(pod *corev1.Pod, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[pod.Name] = &entry{uid: pod.UID, pod: pod, askAt: now.Add(grace), deleted: pod.DeletionTimestamp != nil}
}

// replaced says whether a pod that the cache shows is an earlier one of its name.
func (l *ledger) replaced(pod *corev1.Pod) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.entries[pod.Name]
	return ok && !at.seen && at.uid != pod.UID
}

// saw enters pods that the cache shows, and marks those whose deletion was
// accepted already.
func (l *ledger) saw(pods ...*corev1.Pod) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pass++
	for _, pod := range pods {
		at, ok := l.entries[pod.Name]
		if !ok || at.uid != pod.UID {
			at = &entry{uid: pod.UID}
			l.entries[pod.Name] = at
		}
		at.pod, at.seen, at.pass = nil, true, l.pass
		at.deleted = at.deleted || pod.DeletionTimestamp != nil
		at.mark(pod)
	}
}

// unseen returns the pods of a prefix that the last list did not show: those
// that count all the same, and the names of those to ask the server for.
func (l *ledger) unseen(prefix string, now time.Time) (counted []*corev1.Pod, doubtful []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, at := range l.entries {
		switch {
		case at.pass == l.pass || !strings.HasPrefix(name, prefix):
		case at.seen && at.deleted:
			delete(l.entries, name)
		case at.seen || !now.Before(at.askAt):
			doubtful = append(doubtful, name)
		default:
			pod := *at.pod
			at.mark(&pod)
			counted = append(counted, &pod)
		}
	}
	return counted, doubtful
}

// recheck returns when the next unseen pod has to be asked for; zero without any.
func (l *ledger) recheck(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var soonest time.Duration
	for _, at := range l.entries {
		if at.seen {
			continue
		}
		if wait := max(time.Millisecond, at.askAt.Sub(now)); soonest == 0 || wait < soonest {
			soonest = wait
		}
	}
	return soonest
}

// mark lets a pod show that its deletion was accepted.
func (e *entry) mark(pod *corev1.Pod) {
	if e.deleted && pod.DeletionTimestamp == nil {
		now := metav1.Now()
		pod.DeletionTimestamp = &now
	}
}
