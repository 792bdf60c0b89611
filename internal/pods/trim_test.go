// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/randfill"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/podstate"
)

// randomPods fills pods at random, every field of them, with the words that the
// operator looks for.
type randomPods struct {
	*testing.T
	*randfill.Filler
	now time.Time
}

func newRandomPods(t *testing.T, seed int64) *randomPods {
	p := &randomPods{T: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	p.Filler = randfill.NewWithSeed(seed).NilChance(0.3).NumElements(1, 4).MaxDepth(30).Funcs(
		func(at *metav1.Time, c randfill.Continue) {
			*at = metav1.NewTime(p.now.Add(-time.Duration(c.Intn(600)) * time.Second))
		},
		func(at *metav1.FieldsV1, _ randfill.Continue) { at.SetRawBytes([]byte("{}")) },
		oneOf[corev1.PodPhase](corev1.PodPending, corev1.PodRunning, corev1.PodRunning, corev1.PodFailed),
		oneOf[corev1.ConditionStatus](corev1.ConditionTrue, corev1.ConditionFalse),
		oneOf(corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady, corev1.PodConditionType(flamev1alpha1.GateNodeReady)),
		func(waiting *corev1.ContainerStateWaiting, c randfill.Continue) {
			c.FillNoCustom(waiting)
			waiting.Reason = word(c, "ErrImagePull", "CreateContainerError", "CrashLoopBackOff", "PodInitializing")
		},
		func(state *corev1.ContainerState, c randfill.Continue) {
			switch c.Intn(3) {
			case 0:
				c.Fill(&state.Waiting)
			case 1:
				c.Fill(&state.Running)
			default:
				c.Fill(&state.Terminated)
			}
		},
		func(container *corev1.ContainerStatus, c randfill.Continue) {
			c.FillNoCustom(container)
			container.Name = word(c, flamev1alpha1.ComponentExecutorManager, flamev1alpha1.ComponentSessionManager, naming.WaitContainer)
		},
		func(pod *corev1.Pod, c randfill.Continue) {
			c.FillNoCustom(pod)
			if c.Intn(4) > 0 {
				pod.DeletionTimestamp = nil
			}
			pod.Labels = map[string]string{flamev1alpha1.LabelServing: word(c, "true", "false")}
			pod.Annotations = map[string]string{
				flamev1alpha1.AnnotationTemplateHash: word(c, "new", "old"),
				flamev1alpha1.AnnotationFailures:     word(c, "0", "2", "5"),
				flamev1alpha1.AnnotationWithdrawnAt:  word(c, "", p.now.Format(time.RFC3339)),
				"k8s.v1.cni.cncf.io/network-status":  "[]",
			}
		},
	)
	return p
}

func word[T any](c randfill.Continue, list ...T) T { return list[c.Intn(len(list))] }

func oneOf[T any](list ...T) func(*T, randfill.Continue) {
	return func(value *T, c randfill.Continue) { *value = word(c, list...) }
}

// fill returns a number of pods under their names.
func (p *randomPods) fill(count int) []*corev1.Pod {
	list := make([]*corev1.Pod, count)
	for i := range list {
		list[i] = &corev1.Pod{}
		p.Fill(list[i])
		list[i].Name = fmt.Sprintf("pod-%d", i)
	}
	return list
}

// TestAPassMakesTheSameOfTrimmedPods compares the readings of pods, since a pass uses
// nothing else of them.
func TestAPassMakesTheSameOfTrimmedPods(t *testing.T) {
	components := []string{flamev1alpha1.ComponentSessionManager, flamev1alpha1.ComponentExecutorManager, flamev1alpha1.ComponentObjectCache}
	for seed := range int64(100) {
		for _, whole := range newRandomPods(t, seed).fill(5) {
			trimmed := whole.DeepCopy()
			Trim(trimmed)
			require.NotEqual(t, whole, trimmed)
			for _, component := range components {
				require.Equal(t, podstate.Of(whole, component), podstate.Of(trimmed, component), "seed %d", seed)
			}
		}
	}
}
