// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/randfill"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/apply"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/status"
	"github.com/xflops/flame-operator/test/clusters"
)

// pods fills pods at random, every field of them, with the words that the
// operator looks for.
type pods struct {
	*testing.T
	*randfill.Filler
	now time.Time
}

func newPods(t *testing.T, seed int64) *pods {
	p := &pods{T: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	p.Filler = randfill.NewWithSeed(seed).NilChance(0.3).NumElements(1, 4).MaxDepth(30).Funcs(
		func(at *metav1.Time, c randfill.Continue) {
			*at = metav1.NewTime(p.now.Add(-time.Duration(c.Intn(600)) * time.Second))
		},
		func(at *metav1.FieldsV1, _ randfill.Continue) { at.SetRawBytes([]byte("{}")) },
		words[corev1.PodPhase](corev1.PodPending, corev1.PodRunning, corev1.PodRunning, corev1.PodFailed),
		words[corev1.ConditionStatus](corev1.ConditionTrue, corev1.ConditionFalse),
		words(corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady, corev1.PodConditionType(flamev1alpha1.GateNodeReady)),
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
			container.Name = word(c, flamev1alpha1.ComponentExecutorManager, flamev1alpha1.ComponentSessionManager, "wait-for-session-manager")
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

func words[T any](list ...T) func(*T, randfill.Continue) {
	return func(value *T, c randfill.Continue) { *value = word(c, list...) }
}

// fill returns a number of pods under their names.
func (p *pods) fill(count int) []*corev1.Pod {
	list := make([]*corev1.Pod, count)
	for i := range list {
		list[i] = &corev1.Pod{}
		p.Fill(list[i])
		list[i].Name = fmt.Sprintf("pod-%d", i)
	}
	return list
}

// decisions is all that a pass makes of its pods.
func (p *pods) decisions(sessionManager, objectCache *corev1.Pod, executorManagers []*corev1.Pod) []any {
	cluster := clusters.Parse(p.T, withEverything)
	cluster.Spec.ExecutorManager.Autoscaling = &flamev1alpha1.AutoscalingSpec{MaxReplicas: 9}
	objects, err := desired.Build(cluster, desired.Inputs{})
	require.NoError(p, err)
	latest := observation.Latest{Observation: &observation.Observation{At: p.now}}
	for _, pod := range executorManagers[1:] {
		latest.Observation.Nodes = append(latest.Observation.Nodes, observation.Node{Name: pod.Name})
	}
	one := &pass{cluster: cluster, objects: objects, facts: status.Facts{
		Cluster: cluster, Now: p.now, Flame: latest, Desired: len(executorManagers),
		SessionManager: sessionManager, SessionManagerHash: "new",
		ExecutorManagers: executorManagers, ExecutorManagerHash: "new",
		ObjectCachePods: []corev1.Pod{*objectCache}, ObjectCacheHash: "new",
	}}
	made := []any{
		objectCacheFacts(one.facts.ObjectCachePods), one.executorFacts(), nodeFacts(executorManagers), one.autoscaleInput(),
	}
	// A status tells most of a session manager: each of them shall be one.
	for _, pod := range append(executorManagers, sessionManager) {
		one.facts.SessionManager = pod
		made = append(made, sessionManagerFacts(pod), one.sessionManagerForNodes(), status.Compute(one.facts))
	}
	return made
}

func TestAPassMakesTheSameOfTrimmedPods(t *testing.T) {
	for seed := range int64(100) {
		p := newPods(t, seed)
		whole := p.fill(5)
		trimmed := make([]*corev1.Pod, len(whole))
		for i, pod := range whole {
			trimmed[i] = pod.DeepCopy()
			apply.Trim(trimmed[i])
		}
		require.NotEqual(t, whole, trimmed)
		require.Equal(t, p.decisions(whole[0], whole[1], whole[2:]), p.decisions(trimmed[0], trimmed[1], trimmed[2:]), "seed %d", seed)
	}
}

func TestPodsWakeTheirCluster(t *testing.T) {
	controlled := true
	owner := func(apiVersion, kind string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: "c", Controller: &controlled}}
	}
	ours := flamev1alpha1.GroupVersion.String()
	for name, test := range map[string]struct {
		owners    []metav1.OwnerReference
		component string
		wakes     bool
	}{
		"of a cluster's own":                  {owner(ours, "FlameCluster"), "", true},
		"of a cluster of another version":     {owner("flame.xflops.io/v1", "FlameCluster"), "", true},
		"of another kind of that name":        {owner(ours, "FlameRun"), "", false},
		"of a kind of that name of others":    {owner("example.org/v1", "FlameCluster"), "", false},
		"of nobody":                           {nil, flamev1alpha1.ComponentExecutorManager, false},
		"of an object cache, by its label":    {owner("apps/v1", "StatefulSet"), flamev1alpha1.ComponentObjectCache, true},
		"of a StatefulSet that is not a part": {owner("apps/v1", "StatefulSet"), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", OwnerReferences: test.owners}}
			pod.Labels = map[string]string{flamev1alpha1.LabelComponent: test.component, flamev1alpha1.LabelCluster: "c"}
			var want []reconcile.Request
			if test.wakes {
				want = []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: "ns", Name: "c"}}}
			}
			assert.Equal(t, want, byOwnerOrLabel(t.Context(), pod))
		})
	}
}
