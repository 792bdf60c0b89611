// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
)

// Short names of the components, for the table below.
const (
	sessionManager = flamev1alpha1.ComponentSessionManager
	executors      = flamev1alpha1.ComponentExecutorManager
	cache          = flamev1alpha1.ComponentObjectCache
)

// otherwise returns another name of the stand-in's image: names are what the
// operator compares, and the image is on the node already.
func (c flameCluster) otherwise(t *testing.T) string {
	t.Helper()
	if short, found := strings.CutPrefix(standIn, "docker.io/"); found {
		return short
	}
	pod, err := getPod(t.Context(), c.Namespace, naming.SessionManager(c.Name))
	require.NoError(t, err)
	return pod.Status.ContainerStatuses[0].ImageID
}

// TestChangesRestartOnlyWhatTheyMust makes one change after another, and looks
// as soon as the status says that all is settled.
func TestChangesRestartOnlyWhatTheyMust(t *testing.T) {
	t.Parallel()
	// An image by its digest would not tell the version.
	version := func(spec *flamev1alpha1.FlameClusterSpec) { spec.FlameVersion = "0.6.0" }
	// Without a volume a new session manager knows nothing of the executor managers
	// of the old one, and they are replaced.
	c := create(t, newNamespace(t), "flame", replicas(2), withCache, version, withClaim)
	c.Settled(t)
	image := c.otherwise(t)
	for _, test := range []struct {
		name     string
		change   change
		restarts []string
	}{
		{"maxExecutors", func(s *flamev1alpha1.FlameClusterSpec) { s.ExecutorManager.MaxExecutors = 2 }, []string{executors}},
		{"the executor managers' image", func(s *flamev1alpha1.FlameClusterSpec) { s.ExecutorManager.Image = image }, []string{executors}},
		{"the session manager's image", func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Image = image }, []string{sessionManager}},
		{"the object cache's image", func(s *flamev1alpha1.FlameClusterSpec) { s.ObjectCache.Image = image }, []string{cache}},
		{"the interval of the scheduler", func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.ScheduleIntervalMilliseconds = 150 }, []string{sessionManager}},
		{"the objects that the cache holds", func(s *flamev1alpha1.FlameClusterSpec) { s.ObjectCache.Eviction.MaxObjects = ptr.To[int64](100) }, []string{cache}},
		{"the memory of a slot", func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Slot.Memory = resource.MustParse("32Mi") }, []string{sessionManager, executors}},
		{"the way in which executor managers are updated", func(s *flamev1alpha1.FlameClusterSpec) {
			s.ExecutorManager.UpdateStrategy.MaxSurge = intstr.FromInt32(1)
		}, nil},
		{"the executor managers' environment", func(s *flamev1alpha1.FlameClusterSpec) {
			s.ExecutorManager.Env = []corev1.EnvVar{{Name: "GREETING", Value: "hello"}}
		}, []string{executors}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := map[string]uids{}
			for component, n := range map[string]int{sessionManager: 1, executors: 2, cache: 1} {
				before[component] = c.Has(t, component, n)
			}
			c.Apply(t, test.change)
			c.Settled(t)
			for component, pods := range before {
				now := c.Living(t, component)
				assert.Lenf(t, now, len(pods), "as many of the %s as before", component)
				if slices.Contains(test.restarts, component) {
					assert.Falsef(t, now.Overlaps(pods), "the %s is replaced: there were %v, and there are %v", component, pods, now)
				} else {
					assert.Equalf(t, pods, now, "the %s is not concerned", component)
				}
			}
		})
	}
}

func TestAnInvalidEditChangesNothingAndStopsNothing(t *testing.T) {
	t.Parallel()
	c := create(t, newNamespace(t), "flame")
	c.Settled(t)
	before, working := c.AllLiving(t), c.Living(t, executors)

	c.Apply(t, func(spec *flamev1alpha1.FlameClusterSpec) {
		spec.ExecutorManager.Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("3")}
	})
	status := c.Says(t, flamev1alpha1.ConditionSpecValid, metav1.ConditionFalse, flamev1alpha1.ReasonInvalid, "limits.cpu", "maxExecutors")
	assert.Equal(t, flamev1alpha1.StateRunning, status.State)
	assert.NoError(t, mentions(status.Message, "limits.cpu", "maxExecutors"))
	c.Says(t, flamev1alpha1.ConditionStalled, metav1.ConditionTrue, flamev1alpha1.ReasonInvalid)
	c.Says(t, flamev1alpha1.ConditionReady, metav1.ConditionTrue, flamev1alpha1.ReasonReady)
	steadily(t, "the pods stay as they are", func(context.Context) error {
		if now := c.AllLiving(t); len(now) != len(before) || !now.Contains(before) {
			return fmt.Errorf("there were %v, and there are %v", before, now)
		}
		return nil
	})

	c.Apply(t, replicas(3))
	assert.True(t, c.Has(t, executors, 3).Contains(working), "the number is valid, and the one there was stays")
	lost := c.Living(t, sessionManager)
	for name := range lost {
		require.NoError(t, k8s.Delete(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: name}}))
	}
	eventually(t, "the session manager is made again", func(context.Context) error {
		if now := c.Living(t, sessionManager); len(now) != 1 || now.Overlaps(lost) {
			return fmt.Errorf("there was %v, and there is %v", lost, now)
		}
		return nil
	})

	c.Apply(t, func(spec *flamev1alpha1.FlameClusterSpec) { spec.ExecutorManager.Resources.Limits = nil })
	c.Settled(t)
	c.Has(t, executors, 3)
}
