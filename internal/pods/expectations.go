// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// grace is how long a created pod counts although the cache does not show it; after that
// the server is asked.
const grace = 5 * time.Second

// expectations are what the cache is expected to show of one owner's pods. A pod is
//
//   - unseen from its creation until the cache shows it,
//   - seen from then on, and
//   - deleted as soon as its deletion was accepted or the cache shows it.
//
// An unseen pod counts for its grace. A deleted pod that leaves the cache is gone. The
// server is asked by name for any other pod that leaves the cache or does not appear
// there.
type expectations struct {
	// mu guards the other fields, since the requests of one pass run at the same time.
	mu     sync.Mutex
	byName map[string]*expectation
	// pass counts the lists, to tell which pods the last one showed.
	pass int
	// surveyed says that every existing pod is in the cache or expected.
	surveyed bool
	// proven is how many pods the last creation made without an error, at provenAt.
	proven   int
	provenAt time.Time
}

// expectation is what is expected of one pod.
type expectation struct {
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

// pace is how long a creation without an error counts as a sign that the next one will
// succeed, too.
const pace = 5 * time.Second

// firstBatch returns how many pods to create at first, before creating the others.
func (e *expectations) firstBatch(now time.Time) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now.Sub(e.provenAt) >= pace {
		return 1
	}
	return max(1, e.proven)
}

// tried notes how a creation went.
func (e *expectations) tried(count int, err error, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.proven, e.provenAt = count, now; err != nil {
		e.proven = 0
	}
}

// created expects a pod that the server has or, if the pod has no UID, may have.
func (e *expectations) created(pod *corev1.Pod, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.byName[pod.Name] = &expectation{uid: pod.UID, pod: pod, askAt: now.Add(grace)}
}

// found expects a pod that exists although the cache does not show it, and reports
// whether the pod was not expected before.
func (e *expectations) found(name string, uid types.UID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, known := e.byName[name]; known {
		return false
	}
	e.byName[name] = &expectation{uid: uid}
	return true
}

// deleted expects a pod to go, since its deletion was accepted.
func (e *expectations) deleted(pod *corev1.Pod) {
	e.mu.Lock()
	defer e.mu.Unlock()
	of, ok := e.byName[pod.Name]
	if !ok || of.uid != pod.UID {
		of = &expectation{uid: pod.UID, seen: true}
		e.byName[pod.Name] = of
	}
	of.deleted = true
}

// drop expects nothing more of a pod that is proven not to exist.
func (e *expectations) drop(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.byName, name)
}

// knows reports whether a pod is expected.
func (e *expectations) knows(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.byName[name]
	return ok
}

// proved expects what the server answered about a pod that the cache does not show.
func (e *expectations) proved(pod *corev1.Pod, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.byName[pod.Name] = &expectation{uid: pod.UID, pod: pod, askAt: now.Add(grace), deleted: pod.DeletionTimestamp != nil}
}

// replaced reports whether a pod that the cache shows is an earlier one of its name.
func (e *expectations) replaced(pod *corev1.Pod) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	of, ok := e.byName[pod.Name]
	return ok && !of.seen && of.uid != pod.UID
}

// saw notes the pods that the cache shows, and marks those whose deletion was accepted
// already.
func (e *expectations) saw(pods ...*corev1.Pod) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pass++
	for _, pod := range pods {
		of, ok := e.byName[pod.Name]
		if !ok || of.uid != pod.UID {
			of = &expectation{uid: pod.UID}
			e.byName[pod.Name] = of
		}
		of.pod, of.seen, of.pass = nil, true, e.pass
		of.deleted = of.deleted || pod.DeletionTimestamp != nil
		of.mark(pod)
	}
}

// unseen returns the pods of a prefix that the last list did not show: counted are those
// that count all the same, doubtful are the names to ask the server for.
func (e *expectations) unseen(prefix string, now time.Time) (counted []*corev1.Pod, doubtful []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name, of := range e.byName {
		switch {
		case of.pass == e.pass || !strings.HasPrefix(name, prefix):
		case of.seen && of.deleted:
			delete(e.byName, name)
		case of.seen || !now.Before(of.askAt):
			doubtful = append(doubtful, name)
		default:
			pod := *of.pod
			of.mark(&pod)
			counted = append(counted, &pod)
		}
	}
	return counted, doubtful
}

// recheck returns the time until the server has to be asked for the next unseen pod, and
// zero without unseen pods.
func (e *expectations) recheck(now time.Time) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	var soonest time.Duration
	for _, of := range e.byName {
		if of.seen {
			continue
		}
		if wait := max(time.Millisecond, of.askAt.Sub(now)); soonest == 0 || wait < soonest {
			soonest = wait
		}
	}
	return soonest
}

// mark gives a pod whose deletion was accepted a deletion timestamp.
func (e *expectation) mark(pod *corev1.Pod) {
	if e.deleted && pod.DeletionTimestamp == nil {
		now := metav1.Now()
		pod.DeletionTimestamp = &now
	}
}
