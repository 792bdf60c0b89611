// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// OwnerIndex is the index of pods by the UID of their controller. It spares a
// cluster the pods of all others.
const OwnerIndex = "flame.xflops.io/controller"

// IndexPods adds OwnerIndex to a cache. It has to be there before Pods is used.
func IndexPods(ctx context.Context, indexer client.FieldIndexer) error {
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

// Fleet names the pods of one component of one cluster: those that the owner
// controls and whose names start with the prefix. Labels may be stripped, these
// two may not.
type Fleet struct {
	Owner  client.Object
	Prefix string
	// Labels are those that every pod of the fleet carries, and gets back.
	Labels map[string]string
	// Reconciled says that the owner was reconciled before, by this operator or an
	// earlier one, so that pods may exist that no cache shows.
	Reconciled bool
}

func (f Fleet) has(pod client.Object) bool {
	return metav1.IsControlledBy(pod, f.Owner) && strings.HasPrefix(pod.GetName(), f.Prefix)
}

// Pods lists, creates and deletes pods, and remembers what the cache does not
// show yet, or shows no more.
type Pods struct {
	// Now is the clock, that of the machine unless set.
	Now func() time.Time

	client client.Client
	live   client.Reader

	mu      sync.Mutex
	ledgers map[types.UID]*ledger
}

// NewPods returns an executor for pods. The client's cache needs IndexPods.
func NewPods(cached client.Client, live client.Reader) *Pods {
	return &Pods{client: cached, live: live, Now: time.Now, ledgers: map[types.UID]*ledger{}}
}

// Forget drops what is remembered of an owner that is gone.
func (p *Pods) Forget(owner types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.ledgers, owner)
}

// Recheck returns when to list an owner's pods again, because some of them were
// created and the cache has yet to show them; zero if there are none.
func (p *Pods) Recheck(owner types.UID) time.Duration {
	p.mu.Lock()
	found, ok := p.ledgers[owner]
	p.mu.Unlock()
	if !ok {
		return 0
	}
	return found.recheck(p.Now())
}

func (p *Pods) ledger(fleet Fleet) *ledger {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, ok := p.ledgers[fleet.Owner.GetUID()]
	if !ok {
		found = newLedger(fleet.Reconciled)
		p.ledgers[fleet.Owner.GetUID()] = found
	}
	return found
}

// List returns the pods of a fleet, in no order: what the cache shows, and
// whatever else is not proven to be gone. A pod whose deletion was accepted has a
// deletion timestamp, whether the cache shows it or not. The pods share memory
// with the cache and must not be changed.
func (p *Pods) List(ctx context.Context, fleet Fleet) ([]*corev1.Pod, error) {
	var cached corev1.PodList
	err := p.client.List(ctx, &cached, client.InNamespace(fleet.Owner.GetNamespace()),
		client.MatchingFields{OwnerIndex: string(fleet.Owner.GetUID())}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list Pods: %w", err)
	}
	ledger := p.ledger(fleet)
	pods := make([]*corev1.Pod, 0, len(cached.Items))
	for i := range cached.Items {
		if pod := &cached.Items[i]; fleet.has(pod) {
			pods = append(pods, pod)
		}
	}
	ledger.saw(pods...)
	counted, doubtful := ledger.unseen(fleet.Prefix, p.Now())
	pods = append(pods, counted...)
	proven, err := p.prove(ctx, fleet, ledger, doubtful)
	if err != nil {
		return nil, err
	}
	pods = append(pods, proven...)
	return pods, p.relabelAll(ctx, fleet, pods)
}

// prove asks the server for pods that the cache should show and does not, and
// returns those that exist.
func (p *Pods) prove(ctx context.Context, fleet Fleet, ledger *ledger, names []string) ([]*corev1.Pod, error) {
	found := make([]*corev1.Pod, len(names))
	err := parallel(ctx, len(names), func(i int) error {
		pod, err := p.getLive(ctx, fleet, names[i])
		if err != nil {
			return err
		}
		if pod == nil {
			ledger.drop(names[i])
			return nil
		}
		ledger.proved(pod, p.Now())
		found[i] = pod
		return nil
	})
	if err != nil {
		return nil, err
	}
	pods := found[:0]
	for _, pod := range found {
		if pod != nil {
			pods = append(pods, pod)
		}
	}
	return pods, nil
}

// getLive asks the server for a pod of a fleet; nil means that there is none.
func (p *Pods) getLive(ctx context.Context, fleet Fleet, name string) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	err := p.live.Get(ctx, client.ObjectKey{Namespace: fleet.Owner.GetNamespace(), Name: name}, pod)
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

// Pod returns the pod of a fixed name, and nil only if it is proven not to
// exist. One that belongs to somebody else is a NotOwnedError; one that lost its
// owner, but is ours by its labels, gets it back.
func (p *Pods) Pod(ctx context.Context, fleet Fleet, name string) (*corev1.Pod, error) {
	ledger := p.ledger(fleet)
	pod := &corev1.Pod{}
	key := client.ObjectKey{Namespace: fleet.Owner.GetNamespace(), Name: name}
	err := p.client.Get(ctx, key, pod)
	shown := err == nil && !ledger.replaced(pod)
	if !shown && client.IgnoreNotFound(err) == nil {
		*pod = corev1.Pod{}
		err = p.live.Get(ctx, key, pod)
	}
	if apierrors.IsNotFound(err) {
		ledger.drop(name)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get Pod %q: %w", name, err)
	}
	Trim(pod)
	if !metav1.IsControlledBy(pod, fleet.Owner) {
		return pod, p.reclaim(ctx, fleet, pod)
	}
	if shown {
		ledger.saw(pod)
	} else {
		ledger.proved(pod, p.Now())
	}
	return pod, p.relabelAll(ctx, fleet, []*corev1.Pod{pod})
}

// reclaim gives a pod its owner back if it has none and carries all the labels
// of the fleet.
func (p *Pods) reclaim(ctx context.Context, fleet Fleet, pod *corev1.Pod) error {
	if metav1.GetControllerOfNoCopy(pod) != nil || len(fleet.Labels) == 0 || !carries(pod.Labels, fleet.Labels) {
		return newNotOwnedError("Pod", pod)
	}
	return p.Relabel(ctx, pod, Metadata{Labels: fleet.Labels, Owner: fleet.Owner})
}
