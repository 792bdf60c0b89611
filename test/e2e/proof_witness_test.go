// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// witness watches the pods of a cluster.
type witness struct {
	watcher watch.Interface
	done    sync.WaitGroup

	mu sync.Mutex
	// sessionManagers are the starts of each session manager's containers, most the
	// restarts of the container that has had the most; both by pod.
	sessionManagers map[string]map[time.Time]bool
	most            map[string]int32
	ended           bool
}

func startWitness(t *testing.T, c flameCluster) *witness {
	watcher, err := k8s.Watch(t.Context(), &corev1.PodList{}, client.InNamespace(c.Namespace),
		client.MatchingLabels{flamev1alpha1.LabelCluster: c.Name})
	require.NoError(t, err)
	w := &witness{watcher: watcher, sessionManagers: map[string]map[time.Time]bool{}, most: map[string]int32{}}
	w.done.Go(func() {
		for event := range watcher.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok {
				w.see(pod)
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended = true
	})
	t.Cleanup(func() { watcher.Stop(); w.done.Wait() })
	return w
}

func (w *witness) see(pod *corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	uid := string(pod.UID)
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		w.most[uid] = max(w.most[uid], status.RestartCount)
	}
	if pod.Labels[flamev1alpha1.LabelComponent] != sessionManager {
		return
	}
	if w.sessionManagers[uid] == nil {
		w.sessionManagers[uid] = map[time.Time]bool{}
	}
	for _, status := range pod.Status.ContainerStatuses {
		if status.State.Running != nil {
			w.sessionManagers[uid][status.State.Running.StartedAt.UTC()] = true
		}
	}
}

// starts are when session managers started.
func (w *witness) starts() []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []time.Time
	for _, starts := range w.sessionManagers {
		all = slices.AppendSeq(all, maps.Keys(starts))
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// restarts returns the session managers' pods, and of every pod how often its
// containers were restarted in place.
func (w *witness) restarts(t *testing.T) ([]string, map[string]int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	assert.False(t, w.ended, "the watch lasted to the end")
	return slices.Sorted(maps.Keys(w.sessionManagers)), maps.Clone(w.most)
}
