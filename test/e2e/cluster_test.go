// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// flameCluster is a FlameCluster under test.
type flameCluster struct {
	namespace, name string
}

// change is a change of a spec.
type change func(spec *flamev1alpha1.FlameClusterSpec)

// create makes a cluster named name of one executor manager, with changes.
func create(t *testing.T, namespace, name string, changes ...change) flameCluster {
	t.Helper()
	object := &flamev1alpha1.FlameCluster{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	object.Spec = flamev1alpha1.FlameClusterSpec{
		SessionManager: flamev1alpha1.SessionManagerSpec{
			Image: standIn,
			Slot:  flamev1alpha1.Slot{CPU: resource.MustParse("1"), Memory: resource.MustParse("64Mi")},
			Resources: corev1.ResourceRequirements{
				Requests: requests("32Mi"),
			},
		},
		ExecutorManager: flamev1alpha1.ExecutorManagerSpec{
			Image: standIn,
			// By default an executor manager asks for its whole limit, and a small node
			// would be full with two.
			Resources: corev1.ResourceRequirements{Requests: requests("32Mi")},
		},
	}
	for _, c := range changes {
		c(&object.Spec)
	}
	require.NoError(t, k8s.Create(t.Context(), object))
	return flameCluster{namespace, name}
}

// requests asks for next to no CPU, so that all tests fit on a small node.
func requests(memory string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse(memory)}
}

func replicas(n int32) change {
	return func(spec *flamev1alpha1.FlameClusterSpec) { spec.ExecutorManager.Replicas = ptr.To(n) }
}

func withCache(spec *flamev1alpha1.FlameClusterSpec) {
	spec.ObjectCache = &flamev1alpha1.ObjectCacheSpec{
		Image:     standIn,
		Resources: corev1.ResourceRequirements{Requests: requests("32Mi")},
	}
}

// withClaim keeps the sessions in a volume of the default storage class.
func withClaim(spec *flamev1alpha1.FlameClusterSpec) {
	spec.SessionManager.Storage.VolumeClaimTemplate = claim()
}

func claim() *corev1.PersistentVolumeClaimSpec {
	return &corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources: corev1.VolumeResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("64Mi")},
		},
	}
}

// nowhere is a label that no node has.
var nowhere = map[string]string{"flame.xflops.io/e2e": "nowhere"}

func (c flameCluster) key() client.ObjectKey {
	return client.ObjectKey{Namespace: c.namespace, Name: c.name}
}

func (c flameCluster) get(ctx context.Context) (*flamev1alpha1.FlameCluster, error) {
	object := &flamev1alpha1.FlameCluster{}
	return object, k8s.Get(ctx, c.key(), object)
}

// apply changes the spec as a user would, without a look at anything else.
func (c flameCluster) apply(t *testing.T, changes ...change) {
	t.Helper()
	before, err := c.get(t.Context())
	require.NoError(t, err)
	after := before.DeepCopy()
	for _, change := range changes {
		change(&after.Spec)
	}
	require.NoError(t, k8s.Patch(t.Context(), after, client.MergeFrom(before)))
}

// status waits until check is content with a status that speaks of the current spec.
func (c flameCluster) status(t *testing.T, what string, check func(status *flamev1alpha1.FlameClusterStatus) error) *flamev1alpha1.FlameClusterStatus {
	t.Helper()
	var last *flamev1alpha1.FlameCluster
	eventually(t, c.name+": "+what, func(ctx context.Context) (err error) {
		if last, err = c.get(ctx); err != nil {
			return err
		}
		if last.Status.ObservedGeneration != last.Generation {
			return fmt.Errorf("the status is of generation %d, the spec of %d", last.Status.ObservedGeneration, last.Generation)
		}
		return check(&last.Status)
	})
	return &last.Status
}

// settled waits until the cluster says that it is what its spec asks for.
func (c flameCluster) settled(t *testing.T) *flamev1alpha1.FlameClusterStatus {
	t.Helper()
	return c.status(t, "is Running and settled", func(status *flamev1alpha1.FlameClusterStatus) error {
		executors := status.ExecutorManager
		switch {
		case status.State != flamev1alpha1.StateRunning:
			return fmt.Errorf("state %q: %s", status.State, status.Message)
		case !apimeta.IsStatusConditionTrue(status.Conditions, flamev1alpha1.ConditionReady):
			return unlike(status, flamev1alpha1.ConditionReady, metav1.ConditionTrue)
		case !apimeta.IsStatusConditionFalse(status.Conditions, flamev1alpha1.ConditionProgressing):
			return unlike(status, flamev1alpha1.ConditionProgressing, metav1.ConditionFalse)
		case executors.Ready != executors.Desired || executors.Replicas != executors.Desired || executors.Updated != executors.Desired:
			return fmt.Errorf("executor managers: %+v", executors)
		}
		return nil
	})
}

// says waits for a condition with a reason and words in its message.
func (c flameCluster) says(t *testing.T, kind string, wanted metav1.ConditionStatus, reason string, words ...string) *flamev1alpha1.FlameClusterStatus {
	t.Helper()
	return c.status(t, fmt.Sprintf("says %s=%s, %s", kind, wanted, reason), func(status *flamev1alpha1.FlameClusterStatus) error {
		condition := apimeta.FindStatusCondition(status.Conditions, kind)
		if condition == nil || condition.Status != wanted || condition.Reason != reason {
			return unlike(status, kind, wanted)
		}
		return mentions(condition.Message, words...)
	})
}

func unlike(status *flamev1alpha1.FlameClusterStatus, kind string, wanted metav1.ConditionStatus) error {
	condition := apimeta.FindStatusCondition(status.Conditions, kind)
	if condition == nil {
		return fmt.Errorf("there is no condition %s", kind)
	}
	return fmt.Errorf("%s is %s and not %s: %s: %s", kind, condition.Status, wanted, condition.Reason, condition.Message)
}

// pods returns the pods of a component, whatever becomes of them.
func (c flameCluster) pods(ctx context.Context, component string) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	err := k8s.List(ctx, list, client.InNamespace(c.namespace), client.MatchingLabels{
		flamev1alpha1.LabelCluster: c.name, flamev1alpha1.LabelComponent: component,
	})
	return list.Items, err
}

// living returns the living pods of a component.
func (c flameCluster) living(t *testing.T, component string) uids {
	t.Helper()
	pods, err := c.pods(t.Context(), component)
	require.NoError(t, err)
	return podUIDs(pods)
}

// has waits until exactly n pods of a component live and none is on its way out.
func (c flameCluster) has(t *testing.T, component string, n int) uids {
	t.Helper()
	var found uids
	eventually(t, fmt.Sprintf("%s: has %d pods of the %s", c.name, n, component), func(ctx context.Context) error {
		pods, err := c.pods(ctx, component)
		if err != nil {
			return err
		}
		if found = podUIDs(pods); len(found) != n || len(pods) != n {
			return fmt.Errorf("%d of %d pods live", len(found), len(pods))
		}
		return nil
	})
	return found
}

// allLiving returns the living pods of all components.
func (c flameCluster) allLiving(t *testing.T) uids {
	t.Helper()
	list := &corev1.PodList{}
	require.NoError(t, k8s.List(t.Context(), list, client.InNamespace(c.namespace), ofCluster(c)))
	return podUIDs(list.Items)
}
