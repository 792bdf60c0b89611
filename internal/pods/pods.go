// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package pods carries decisions about pods out: it creates, deletes and labels them, and
// it decides nothing. The package never makes a pod too many.
//
// The one hard idea is the expectations. A cache lags behind the server, and holds only
// objects with the operator's labels, which anybody may strip. The package therefore
// remembers what was done to each pod until the cache agrees, and a pod that the cache
// does not show is gone only when the server itself says so.
package pods

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xflops/flame-operator/internal/apply"
)

// OwnerIndex is the index of pods by the UID of their controller. With the index, a
// cluster need not go through the pods of all others.
const OwnerIndex = "flame.xflops.io/controller"

// IndexByOwner adds OwnerIndex to a cache. A Control needs that index.
func IndexByOwner(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &corev1.Pod{}, OwnerIndex, ownerOf); err != nil {
		return fmt.Errorf("index pods by owner: %w", err)
	}
	return nil
}

func ownerOf(object client.Object) []string {
	controller := metav1.GetControllerOfNoCopy(object)
	if controller == nil {
		return nil
	}
	return []string{string(controller.UID)}
}

// Fleet names the pods of one component of one cluster: those that the owner controls and
// whose names start with the prefix. Unlike labels, a name can never change, and a pod
// that loses its owner no longer belongs to the cluster.
type Fleet struct {
	Owner  client.Object
	Prefix string
	// Labels are the labels that every pod of the fleet carries, and gets back if they
	// are stripped.
	Labels map[string]string
}

func (f Fleet) has(pod client.Object) bool {
	return metav1.IsControlledBy(pod, f.Owner) && strings.HasPrefix(pod.GetName(), f.Prefix)
}

// Control lists, creates and deletes the pods of one owner, and remembers what the cache
// does not show yet, or no longer shows.
type Control struct {
	client   client.Client
	live     client.Reader
	now      func() time.Time
	expected expectations
}

// New returns the Control of an owner's pods. The client's cache needs IndexByOwner. The
// argument reconciled says that an earlier operator has reconciled the owner, which may
// then have pods that no cache shows.
func New(cached client.Client, live client.Reader, now func() time.Time, reconciled bool) *Control {
	return &Control{client: cached, live: live, now: now, expected: expectations{byName: map[string]*expectation{}, surveyed: !reconciled}}
}

// Recheck returns the time after which to list the pods again because the cache has yet
// to show some created pods, and zero if there are none.
func (c *Control) Recheck() time.Duration { return c.expected.recheck(c.now()) }

// List returns the pods of a fleet, in no order: the pods that the cache shows, and all
// others that are not proven to be gone. A pod whose deletion was accepted has a deletion
// timestamp, whether the cache shows it or not. The pods share memory with the cache and
// must not be changed.
func (c *Control) List(ctx context.Context, fleet Fleet) ([]*corev1.Pod, error) {
	var cached corev1.PodList
	err := c.client.List(ctx, &cached, client.InNamespace(fleet.Owner.GetNamespace()),
		client.MatchingFields{OwnerIndex: string(fleet.Owner.GetUID())}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list Pods: %w", err)
	}
	pods := make([]*corev1.Pod, 0, len(cached.Items))
	for i := range cached.Items {
		if pod := &cached.Items[i]; fleet.has(pod) {
			pods = append(pods, pod)
		}
	}
	c.expected.saw(pods...)
	counted, doubtful := c.expected.unseen(fleet.Prefix, c.now())
	pods = append(pods, counted...)
	proven, err := c.prove(ctx, fleet, doubtful)
	if err != nil {
		return nil, err
	}
	pods = append(pods, proven...)
	return pods, c.relabelAll(ctx, fleet, pods)
}

// prove asks the server for pods that the cache should show and does not, and
// returns those that exist.
func (c *Control) prove(ctx context.Context, fleet Fleet, names []string) ([]*corev1.Pod, error) {
	found := make([]*corev1.Pod, len(names))
	err := parallel(ctx, len(names), func(i int) error {
		pod, err := c.getLive(ctx, fleet, names[i])
		if err != nil {
			return err
		}
		if pod == nil {
			c.expected.drop(names[i])
			return nil
		}
		c.expected.proved(pod, c.now())
		found[i] = pod
		return nil
	})
	return slices.DeleteFunc(found, func(pod *corev1.Pod) bool { return pod == nil }), err
}

// getLive asks the server for a pod of a fleet, and returns nil if there is none.
func (c *Control) getLive(ctx context.Context, fleet Fleet, name string) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	err := c.live.Get(ctx, client.ObjectKey{Namespace: fleet.Owner.GetNamespace(), Name: name}, pod)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("get Pod %q: %w", name, err)
	case !fleet.has(pod):
		return nil, nil
	}
	Trim(pod)
	return pod, nil
}

// Pod returns the pod of a fixed name, and nil only if the pod is proven not to exist. A
// pod that belongs to somebody else is a NotOwnedError; a pod that lost its owner, but
// carries all the labels of the fleet, gets the owner back.
func (c *Control) Pod(ctx context.Context, fleet Fleet, name string) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	key := client.ObjectKey{Namespace: fleet.Owner.GetNamespace(), Name: name}
	err := c.client.Get(ctx, key, pod)
	shown := err == nil && !c.expected.replaced(pod)
	if !shown && client.IgnoreNotFound(err) == nil {
		*pod = corev1.Pod{}
		err = c.live.Get(ctx, key, pod)
	}
	if apierrors.IsNotFound(err) {
		c.expected.drop(name)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get Pod %q: %w", name, err)
	}
	Trim(pod)
	if !metav1.IsControlledBy(pod, fleet.Owner) {
		return pod, c.reclaim(ctx, fleet, pod)
	}
	if shown {
		c.expected.saw(pod)
	} else {
		c.expected.proved(pod, c.now())
	}
	return pod, c.relabelAll(ctx, fleet, []*corev1.Pod{pod})
}

// reclaim gives a pod its owner back if it has none and carries all the labels
// of the fleet.
func (c *Control) reclaim(ctx context.Context, fleet Fleet, pod *corev1.Pod) error {
	if metav1.GetControllerOfNoCopy(pod) != nil || len(fleet.Labels) == 0 || !carries(pod.Labels, fleet.Labels) {
		return apply.NewNotOwnedError("Pod", pod)
	}
	return c.Relabel(ctx, pod, Metadata{Labels: fleet.Labels, Owner: fleet.Owner})
}
