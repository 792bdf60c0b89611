// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xflops/flame-operator/internal/apply"
)

// SetGates writes the condition that the readiness gate of each pod asks for, in
// parallel. Pods that are gone are skipped; the first error is returned.
func (c *Control) SetGates(ctx context.Context, pods []*corev1.Pod, gate corev1.PodConditionType, open map[string]bool, now time.Time) error {
	names := slices.Sorted(maps.Keys(open))
	byName := make(map[string]*corev1.Pod, len(pods))
	for _, pod := range pods {
		byName[pod.Name] = pod
	}
	return parallel(ctx, len(names), func(i int) error {
		pod := byName[names[i]]
		if pod == nil {
			return nil
		}
		return c.setGate(ctx, pod, gate, open[names[i]], now)
	})
}

// setGate writes one condition with a strategic merge patch, which leaves the kubelet's
// conditions alone. The server refuses the patch for another pod of the name.
func (c *Control) setGate(ctx context.Context, pod *corev1.Pod, gate corev1.PodConditionType, open bool, now time.Time) error {
	condition := corev1.PodCondition{Type: gate, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(now)}
	if open {
		condition.Status = corev1.ConditionTrue
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID},
		"status":   map[string]any{"conditions": []corev1.PodCondition{condition}},
	})
	if err != nil {
		return fmt.Errorf("set the readiness gate of Pod %q: %w", pod.Name, err)
	}
	target := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	err = c.client.Status().Patch(ctx, target, client.RawPatch(types.StrategicMergePatchType, patch), client.FieldOwner(apply.FieldManager))
	if err != nil && !apply.Gone(err) {
		return fmt.Errorf("set the readiness gate of Pod %q: %w", pod.Name, err)
	}
	return nil
}
