// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// board is what a watch has shown so far.
type board struct {
	mu      sync.Mutex
	err     error
	changed chan struct{}
}

// follow hands every object of a watch to note, until the context ends.
func (b *board) follow(ctx context.Context, events watch.Interface, note func(client.Object)) {
	b.changed = make(chan struct{}, 1)
	go func() {
		defer events.Stop()
		for event := range events.ResultChan() {
			b.mu.Lock()
			object, ok := event.Object.(client.Object)
			switch {
			case !ok:
				b.err = fmt.Errorf("the bench's own watch failed: %v", event.Object)
			case event.Type != watch.Deleted:
				note(object)
			}
			b.mu.Unlock()
			b.wake()
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.err = errors.Join(b.err, ctx.Err(), errors.New("the bench's own watch ended"))
		b.wake()
	}()
}

func (b *board) wake() {
	select {
	case b.changed <- struct{}{}:
	default: // A wake-up is pending already.
	}
}

// await waits until the board shows something.
func (b *board) await(ctx context.Context, what string, atMost time.Duration, shows func() bool) error {
	timeout := time.After(atMost)
	for {
		b.mu.Lock()
		done, err := shows(), b.err
		b.mu.Unlock()
		if done {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-b.changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout:
			return fmt.Errorf("not within %s: %s", atMost, what)
		}
	}
}

// watch follows the changes from now on. The API server drops watches that do not keep
// up, which happens soon on a busy machine; a dropped watch goes on where it was.
func (s *server) watch(ctx context.Context, from cache.WatchFuncWithContext) (watch.Interface, error) {
	now := &corev1.NamespaceList{}
	if err := s.client.List(ctx, now); err != nil {
		return nil, err
	}
	return watchtools.NewRetryWatcherWithContext(ctx, now.ResourceVersion, watcher(from))
}

type watcher cache.WatchFuncWithContext

// WatchWithContext is what a RetryWatcher asks for.
func (w watcher) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	return w(ctx, options)
}

// podBoard counts executor managers as the API server shows them, whoever made them. The
// board reads only the metadata of pods, so as to take little from the processes that are
// measured.
type podBoard struct {
	board
	// fleets are by namespace.
	fleets map[string]*fleet
}

type fleet struct {
	pods int
	// last is when the last of them was seen, and first when each cluster's first was.
	last  time.Time
	first map[string]time.Time
}

func (s *server) watchPods(ctx context.Context) (*podBoard, error) {
	source, err := metadata.NewForConfig(s.config)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	selector := flamev1alpha1.LabelComponent + "=" + flamev1alpha1.ComponentExecutorManager
	pods := source.Resource(corev1.SchemeGroupVersion.WithResource("pods"))
	events, err := s.watch(ctx, func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		options.LabelSelector = selector
		return pods.Watch(ctx, options)
	})
	if err != nil {
		return nil, fmt.Errorf("watch Pods: %w", err)
	}
	b := &podBoard{fleets: map[string]*fleet{}}
	seen := map[string]bool{}
	b.follow(ctx, events, func(pod client.Object) {
		if uid := string(pod.GetUID()); !seen[uid] {
			seen[uid] = true
			b.fleet(pod.GetNamespace()).add(pod.GetLabels()[flamev1alpha1.LabelCluster], time.Now())
		}
	})
	return b, nil
}

func (b *podBoard) fleet(namespace string) *fleet {
	if b.fleets[namespace] == nil {
		b.fleets[namespace] = &fleet{first: map[string]time.Time{}}
	}
	return b.fleets[namespace]
}

func (f *fleet) add(cluster string, now time.Time) {
	f.pods++
	f.last = now
	if _, ok := f.first[cluster]; !ok {
		f.first[cluster] = now
	}
}

// made waits until a namespace has had so many executor managers, and tells when
// they came.
func (b *podBoard) made(ctx context.Context, namespace string, count int, atMost time.Duration) (*fleet, error) {
	err := b.await(ctx, fmt.Sprintf("%d executor managers in %s", count, namespace), atMost, func() bool {
		return b.fleet(namespace).pods >= count
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	found := b.fleet(namespace)
	if err != nil {
		return nil, fmt.Errorf("%w (there are %d)", err, found.pods)
	}
	if found.pods > count {
		return nil, fmt.Errorf("%s has %d executor managers, wanted are %d", namespace, found.pods, count)
	}
	return found, nil
}

// clusterBoard holds the FlameClusters of a namespace as they are.
type clusterBoard struct {
	board
	clusters map[string]*flamev1alpha1.FlameCluster
	// answered is when a status first said that it is about the present spec.
	answered map[string]time.Time
}

func (s *server) watchClusters(ctx context.Context, namespace string) (*clusterBoard, error) {
	events, err := s.watch(ctx, func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		return s.client.Watch(ctx, &flamev1alpha1.FlameClusterList{}, client.InNamespace(namespace), &client.ListOptions{Raw: &options})
	})
	if err != nil {
		return nil, fmt.Errorf("watch FlameClusters: %w", err)
	}
	b := &clusterBoard{clusters: map[string]*flamev1alpha1.FlameCluster{}, answered: map[string]time.Time{}}
	b.follow(ctx, events, func(object client.Object) {
		cluster := object.(*flamev1alpha1.FlameCluster)
		before := b.clusters[cluster.Name]
		if cluster.Status.ObservedGeneration == cluster.Generation &&
			(before == nil || before.Status.ObservedGeneration != cluster.Generation) {
			b.answered[cluster.Name] = time.Now()
		}
		b.clusters[cluster.Name] = cluster
	})
	return b, nil
}

// count says how many clusters are as asked for.
func (b *clusterBoard) count(matches func(*flamev1alpha1.FlameCluster) bool) int {
	count := 0
	for _, cluster := range b.clusters {
		if matches(cluster) {
			count++
		}
	}
	return count
}

func isAnswered(cluster *flamev1alpha1.FlameCluster) bool {
	return cluster.Status.ObservedGeneration == cluster.Generation
}
