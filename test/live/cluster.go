// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

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

// Cluster is a FlameCluster under test.
type Cluster struct {
	Namespace, Name string

	k *Kubernetes
}

// Change is a change of a spec.
type Change func(spec *flamev1alpha1.FlameClusterSpec)

// Create makes a cluster named name of one executor manager, with changes.
func (k *Kubernetes) Create(t *testing.T, namespace, name string, changes ...Change) Cluster {
	t.Helper()
	object := &flamev1alpha1.FlameCluster{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	object.Spec = flamev1alpha1.FlameClusterSpec{
		SessionManager: flamev1alpha1.SessionManagerSpec{
			Image: k.StandIn,
			Slot:  flamev1alpha1.Slot{CPU: resource.MustParse("1"), Memory: resource.MustParse("64Mi")},
			Resources: corev1.ResourceRequirements{
				Requests: Requests("32Mi"),
			},
		},
		ExecutorManager: flamev1alpha1.ExecutorManagerSpec{
			Image: k.StandIn,
			// By default an executor manager asks for its whole limit, and a small node
			// would be full with two.
			Resources: corev1.ResourceRequirements{Requests: Requests("32Mi")},
		},
	}
	for _, c := range changes {
		c(&object.Spec)
	}
	require.NoError(t, k.Client.Create(t.Context(), object))
	return Cluster{namespace, name, k}
}

// Requests asks for next to no CPU, so that all tests fit on a small node.
func Requests(memory string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse(memory)}
}

// Replicas asks for n executor managers.
func Replicas(n int32) Change {
	return func(spec *flamev1alpha1.FlameClusterSpec) { spec.ExecutorManager.Replicas = ptr.To(n) }
}

// WithCache adds an object cache, of the image of the session manager.
func WithCache(spec *flamev1alpha1.FlameClusterSpec) {
	spec.ObjectCache = &flamev1alpha1.ObjectCacheSpec{
		Image:     spec.SessionManager.Image,
		Resources: corev1.ResourceRequirements{Requests: Requests("32Mi")},
	}
}

// WithClaim keeps the sessions in a volume of the default storage class.
func WithClaim(spec *flamev1alpha1.FlameClusterSpec) {
	spec.SessionManager.Storage.VolumeClaimTemplate = Claim()
}

// Claim asks for a small volume of the default storage class.
func Claim() *corev1.PersistentVolumeClaimSpec {
	return &corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources: corev1.VolumeResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("64Mi")},
		},
	}
}

// Key is where it is.
func (c Cluster) Key() client.ObjectKey {
	return client.ObjectKey{Namespace: c.Namespace, Name: c.Name}
}

// Get reads it.
func (c Cluster) Get(ctx context.Context) (*flamev1alpha1.FlameCluster, error) {
	object := &flamev1alpha1.FlameCluster{}
	return object, c.k.Client.Get(ctx, c.Key(), object)
}

// Apply changes the spec as a user would, without a look at anything else.
func (c Cluster) Apply(t *testing.T, changes ...Change) {
	t.Helper()
	before, err := c.Get(t.Context())
	require.NoError(t, err)
	after := before.DeepCopy()
	for _, change := range changes {
		change(&after.Spec)
	}
	require.NoError(t, c.k.Client.Patch(t.Context(), after, client.MergeFrom(before)))
}

// Status waits until check is content with a status that speaks of the current spec.
func (c Cluster) Status(t *testing.T, what string, check func(status *flamev1alpha1.FlameClusterStatus) error) *flamev1alpha1.FlameClusterStatus {
	t.Helper()
	var last *flamev1alpha1.FlameCluster
	Eventually(t, c.Name+": "+what, func(ctx context.Context) (err error) {
		if last, err = c.Get(ctx); err != nil {
			return err
		}
		if last.Status.ObservedGeneration != last.Generation {
			return fmt.Errorf("the status is of generation %d, the spec of %d", last.Status.ObservedGeneration, last.Generation)
		}
		return check(&last.Status)
	})
	return &last.Status
}

// Settled waits until the cluster says that it is what its spec asks for.
func (c Cluster) Settled(t *testing.T) *flamev1alpha1.FlameClusterStatus {
	t.Helper()
	return c.Status(t, "is Running and settled", func(status *flamev1alpha1.FlameClusterStatus) error {
		executors := status.ExecutorManager
		switch {
		case status.State != flamev1alpha1.StateRunning:
			return fmt.Errorf("state %q: %s", status.State, status.Message)
		case !apimeta.IsStatusConditionTrue(status.Conditions, flamev1alpha1.ConditionReady):
			return unlike(status, flamev1alpha1.ConditionReady, metav1.ConditionTrue)
		case apimeta.IsStatusConditionTrue(status.Conditions, flamev1alpha1.ConditionReconciling):
			return unlike(status, flamev1alpha1.ConditionReconciling, metav1.ConditionFalse)
		case executors.Ready != executors.Desired || executors.Replicas != executors.Desired || executors.Updated != executors.Desired:
			return fmt.Errorf("executor managers: %+v", executors)
		}
		return nil
	})
}

// Says waits for a condition with a reason and words in its message.
func (c Cluster) Says(t *testing.T, kind string, wanted metav1.ConditionStatus, reason string, words ...string) *flamev1alpha1.FlameClusterStatus {
	t.Helper()
	return c.Status(t, fmt.Sprintf("says %s=%s, %s", kind, wanted, reason), func(status *flamev1alpha1.FlameClusterStatus) error {
		condition := apimeta.FindStatusCondition(status.Conditions, kind)
		if condition == nil || condition.Status != wanted || condition.Reason != reason {
			return unlike(status, kind, wanted)
		}
		return Mentions(condition.Message, words...)
	})
}

func unlike(status *flamev1alpha1.FlameClusterStatus, kind string, wanted metav1.ConditionStatus) error {
	condition := apimeta.FindStatusCondition(status.Conditions, kind)
	if condition == nil {
		return fmt.Errorf("there is no condition %s", kind)
	}
	return fmt.Errorf("%s is %s and not %s: %s: %s", kind, condition.Status, wanted, condition.Reason, condition.Message)
}

// Pods returns the pods of a component, whatever becomes of them.
func (c Cluster) Pods(ctx context.Context, component string) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	err := c.k.Client.List(ctx, list, client.InNamespace(c.Namespace), client.MatchingLabels{
		flamev1alpha1.LabelCluster: c.Name, flamev1alpha1.LabelComponent: component,
	})
	return list.Items, err
}

// Living returns the living pods of a component.
func (c Cluster) Living(t *testing.T, component string) UIDs {
	t.Helper()
	pods, err := c.Pods(t.Context(), component)
	require.NoError(t, err)
	return UIDsOf(pods)
}

// Has waits until exactly n pods of a component live and none is on its way out.
func (c Cluster) Has(t *testing.T, component string, n int) UIDs {
	t.Helper()
	var found UIDs
	Eventually(t, fmt.Sprintf("%s: has %d pods of the %s", c.Name, n, component), func(ctx context.Context) error {
		pods, err := c.Pods(ctx, component)
		if err != nil {
			return err
		}
		if found = UIDsOf(pods); len(found) != n || len(pods) != n {
			return fmt.Errorf("%d of %d pods live", len(found), len(pods))
		}
		return nil
	})
	return found
}

// AllLiving returns the living pods of all components.
func (c Cluster) AllLiving(t *testing.T) UIDs {
	t.Helper()
	list := &corev1.PodList{}
	require.NoError(t, c.k.Client.List(t.Context(), list, client.InNamespace(c.Namespace), c.selected()))
	return UIDsOf(list.Items)
}

func (c Cluster) selected() client.MatchingLabels {
	return client.MatchingLabels{flamev1alpha1.LabelCluster: c.Name}
}
