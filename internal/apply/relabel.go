// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Metadata is what a pod shall carry besides what it carries already.
type Metadata struct {
	Labels, Annotations map[string]string
	// Owner becomes the controller of the pod, if it is set.
	Owner client.Object
}

// Relabel lets a pod carry metadata, and sends nothing if it does. The pod shows
// it afterwards, without a change to memory that it shares with the cache.
//
// It is a merge patch rather than server-side apply: a pod is created once and
// for all, and applying a few of its labels would take away those that another
// step applied.
func (p *Pods) Relabel(ctx context.Context, pod *corev1.Pod, want Metadata) error {
	owners, err := p.owners(pod, want.Owner)
	if err != nil {
		return fmt.Errorf("label Pod %q: %w", pod.Name, err)
	}
	if owners == nil && carries(pod.Labels, want.Labels) && carries(pod.Annotations, want.Annotations) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": partial{
		UID: string(pod.UID), Labels: want.Labels, Annotations: want.Annotations, OwnerReferences: owners,
	}})
	if err != nil {
		return fmt.Errorf("label Pod %q: %w", pod.Name, err)
	}
	target := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	target.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	if err := p.client.Patch(ctx, target, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(FieldManager)); err != nil {
		return fmt.Errorf("label Pod %q: %w", pod.Name, err)
	}
	pod.Labels = merged(pod.Labels, want.Labels)
	pod.Annotations = merged(pod.Annotations, want.Annotations)
	if owners != nil {
		pod.OwnerReferences = owners
	}
	return nil
}

// partial is the part of an object's metadata that a patch holds. The server refuses
// a patch with another UID than that of the object.
type partial struct {
	UID             string                  `json:"uid"`
	Labels          map[string]string       `json:"labels,omitempty"`
	Annotations     map[string]string       `json:"annotations,omitempty"`
	OwnerReferences []metav1.OwnerReference `json:"ownerReferences,omitempty"`
}

// owners returns the owner references of a pod with a controller added; nil if
// nothing has to be added.
func (p *Pods) owners(pod *corev1.Pod, owner client.Object) ([]metav1.OwnerReference, error) {
	if owner == nil || metav1.IsControlledBy(pod, owner) {
		return nil, nil
	}
	kind, err := p.client.GroupVersionKindFor(owner)
	if err != nil {
		return nil, err
	}
	reference := metav1.NewControllerRef(owner, kind)
	reference.BlockOwnerDeletion = nil // That would take a right of its own.
	return append(slices.Clone(pod.OwnerReferences), *reference), nil
}

// relabelAll gives pods their labels back. Pods on their way out need none.
func (p *Pods) relabelAll(ctx context.Context, fleet Fleet, pods []*corev1.Pod) error {
	var errs []error
	for _, pod := range pods {
		if pod.DeletionTimestamp == nil && pod.UID != "" && !carries(pod.Labels, fleet.Labels) {
			errs = append(errs, p.Relabel(ctx, pod, Metadata{Labels: fleet.Labels}))
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
