// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/clusters"
)

// Argo CD, Flux, Helm and others read a cluster by the rules of kstatus.
func TestKstatusSaysWhatUsersMean(t *testing.T) {
	for name, test := range map[string]struct {
		facts Facts
		spec  func(*flamev1alpha1.FlameClusterSpec)
		// inPlace is the generation that Ready spoke of before.
		inPlace int64
		want    kstatus.Status
	}{
		"a new cluster":                          {facts: facts(nil), want: kstatus.InProgressStatus},
		"everything runs":                        {facts: facts(ptr.To(pod(ready)), pod(ready)), want: kstatus.CurrentStatus},
		"suspended":                              {facts: facts(nil), spec: func(s *flamev1alpha1.FlameClusterSpec) { s.Suspend = true }, want: kstatus.CurrentStatus},
		"an update under way":                    {facts: facts(ptr.To(pod(ready)), pod(ready, outdated), pod(ready)), spec: replicas(2), want: kstatus.InProgressStatus},
		"an update that stands still":            {facts: facts(ptr.To(pod(ready)), pod(ready, outdated), pod(failed(1, ""))), spec: replicas(2), want: kstatus.FailedStatus},
		"a Secret that is missing":               {facts: with(facts(nil), func(f *Facts) { f.Missing = errors.New("no Secret") }), want: kstatus.InProgressStatus},
		"a spec that never could run":            {facts: with(facts(nil), func(f *Facts) { f.Invalid = errors.New("no") }), want: kstatus.FailedStatus},
		"an edit that cannot run, while it runs": {facts: with(facts(ptr.To(pod(ready)), pod(ready)), func(f *Facts) { f.Invalid, f.StandsIn = errors.New("no"), true }), want: kstatus.FailedStatus},
		"more executor managers are asked for":   {facts: facts(ptr.To(pod(ready)), pod(ready)), spec: replicas(2), want: kstatus.InProgressStatus},
		"the load asks for more":                 {facts: facts(ptr.To(pod(ready)), pod(ready), pod()), spec: autoscaled, inPlace: 1, want: kstatus.CurrentStatus},
		"deleted executor managers end tasks":    {facts: facts(ptr.To(pod(ready)), pod(ready), pod(ready, terminating)), want: kstatus.CurrentStatus},
		"the session manager crashed":            {facts: facts(nil, pod(ready)), inPlace: 1, want: kstatus.InProgressStatus},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := clusters.Parse(t, clusters.Minimal)
			if test.spec != nil {
				test.spec(&cluster.Spec)
			}
			if test.inPlace > 0 {
				cluster.Status.Conditions = append(cluster.Status.Conditions, readyAt(test.inPlace))
			}
			cluster.Status = Compute(test.facts.of(cluster))
			object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(cluster)
			require.NoError(t, err)
			got, err := kstatus.Compute(&unstructured.Unstructured{Object: object})
			require.NoError(t, err)
			assert.Equal(t, test.want, got.Status, got.Message)
		})
	}
}

// kubectl wait compares the generation of the condition with that of the object.
func TestReadySpeaksOfAnEditWhenItIsInPlaceOrRefused(t *testing.T) {
	for name, test := range map[string]struct {
		facts Facts
		spec  func(*flamev1alpha1.FlameClusterSpec)
		want  int64
	}{
		"nothing had to change":       {facts: facts(ptr.To(pod(ready)), pod(ready)), want: 2},
		"more pods start":             {facts: facts(ptr.To(pod(ready)), pod(ready), pod()), spec: replicas(2), want: 1},
		"pods are updated":            {facts: facts(ptr.To(pod(ready)), pod(ready, outdated)), want: 1},
		"the edit cannot run":         {facts: with(facts(ptr.To(pod(ready)), pod(ready)), func(f *Facts) { f.Invalid, f.StandsIn = errors.New("no"), true }), want: 2},
		"the update stands still":     {facts: facts(ptr.To(pod(ready)), pod(ready, outdated), pod(failed(1, ""))), spec: replicas(2), want: 2},
		"an edit of what autoscales":  {facts: facts(ptr.To(pod(ready)), pod(ready), pod()), spec: autoscaled, want: 1},
		"deleted pods still end work": {facts: facts(ptr.To(pod(ready)), pod(ready), pod(ready, terminating)), want: 2},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := clusters.Parse(t, clusters.Minimal)
			cluster.Generation = 2
			cluster.Status.Conditions = append(cluster.Status.Conditions, readyAt(1))
			if test.spec != nil {
				test.spec(&cluster.Spec)
			}
			got := Compute(test.facts.of(cluster))
			condition := meta.FindStatusCondition(got.Conditions, flamev1alpha1.ConditionReady)
			require.NotNil(t, condition)
			assert.Equal(t, test.want, condition.ObservedGeneration)
			assert.Equal(t, int64(2), got.ObservedGeneration)
		})
	}
}

// readyAt is the condition Ready as it was before, at a generation.
func readyAt(generation int64) metav1.Condition {
	return metav1.Condition{Type: flamev1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: flamev1alpha1.ReasonReady, ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(now)}
}

// autoscaled has the load decide on two executor managers.
func autoscaled(s *flamev1alpha1.FlameClusterSpec) {
	replicas(2)(s)
	s.ExecutorManager.Autoscaling = &flamev1alpha1.AutoscalingSpec{MaxReplicas: 5}
}
