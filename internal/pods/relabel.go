// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xflops/flame-operator/internal/apply"
)

// Metadata is what a pod shall carry in addition to what it carries already.
type Metadata struct {
	Labels, Annotations map[string]string
	// Owner becomes the controller of the pod, if it is set.
	Owner client.Object
}

// Relabel adds metadata to a pod, and sends nothing if the pod carries the metadata
// already. The given pod shows the metadata afterwards; memory that the pod shares with
// the cache does not change.
//
// Relabel sends a merge patch instead of using server-side apply: a pod is created once
// and for all, and applying a few of its labels would take away those that another step
// applied.
func (c *Control) Relabel(ctx context.Context, pod *corev1.Pod, want Metadata) error {
	owners, err := c.owners(pod, want.Owner)
	if err != nil {
		return fmt.Errorf("label Pod %q: %w", pod.Name, err)
	}
	if owners == nil && carries(pod.Labels, want.Labels) && carries(pod.Annotations, want.Annotations) {
		return nil
	}
	err = apply.PatchMetadata(ctx, c.client, pod, metav1.ObjectMeta{Labels: want.Labels, Annotations: want.Annotations, OwnerReferences: owners})
	if err != nil {
		return fmt.Errorf("label Pod %q: %w", pod.Name, err)
	}
	pod.Labels = merged(pod.Labels, want.Labels)
	pod.Annotations = merged(pod.Annotations, want.Annotations)
	if owners != nil {
		pod.OwnerReferences = owners
	}
	return nil
}

// owners returns the owner references of a pod with a controller added, and nil if
// nothing has to be added.
func (c *Control) owners(pod *corev1.Pod, owner client.Object) ([]metav1.OwnerReference, error) {
	if owner == nil || metav1.IsControlledBy(pod, owner) {
		return nil, nil
	}
	kind, err := c.client.GroupVersionKindFor(owner)
	if err != nil {
		return nil, err
	}
	reference := metav1.NewControllerRef(owner, kind)
	reference.BlockOwnerDeletion = nil // Blocking would need a right of its own.
	return append(slices.Clone(pod.OwnerReferences), *reference), nil
}

// relabelAll gives pods their labels back. Pods on their way out are left alone, since
// they need none.
func (c *Control) relabelAll(ctx context.Context, fleet Fleet, pods []*corev1.Pod) error {
	var errs []error
	for _, pod := range pods {
		if pod.DeletionTimestamp == nil && pod.UID != "" && !carries(pod.Labels, fleet.Labels) {
			errs = append(errs, c.Relabel(ctx, pod, Metadata{Labels: fleet.Labels}))
		}
	}
	return errors.Join(errs...)
}

func carries(have, want map[string]string) bool {
	for name, value := range want {
		if got, ok := have[name]; !ok || got != value {
			return false
		}
	}
	return true
}

// merged returns a new map, since that of a pod may belong to the cache.
func merged(have, want map[string]string) map[string]string {
	all := make(map[string]string, len(have)+len(want))
	maps.Copy(all, have)
	maps.Copy(all, want)
	return all
}
