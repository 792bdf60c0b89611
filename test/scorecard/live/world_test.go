// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/naming"
)

// flaw is what is wrong with an operator, or with the Flame that it drives.
type flaw int

const (
	none flaw = iota
	runsATaskTwice
	failsATask
	losesATask
	keepsAnOldOne
	newOnesGetNothing
	oneIsIdle
	replacesTheSessionManager
	neverGrows
	growsToOne
	onlyDecides
	overshoots
	saysNothing
	neverShrinks
	hidesThree
)

// world plays an operator, and what runs its pods, for the cluster of one trial: all
// new pods at once, and then the old ones go, one by one.
type world struct {
	k8s       client.Client
	namespace string
	flaw      flaw
	queue     *queue
	endpoint  string
	// most is how many executor managers there were at most.
	most int32
}

func startWorld(t *testing.T, k8s client.Client, namespace string, flaw flaw) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &world{k8s: k8s, namespace: namespace, flaw: flaw, queue: &queue{flaw: flaw}, endpoint: "http://" + listener.Addr().String()}
	server := grpc.NewServer()
	flamev1.RegisterFrontendServer(server, w.queue)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for t.Context().Err() == nil {
			if err := w.step(t.Context()); err != nil && t.Context().Err() == nil {
				t.Logf("the operator: %v", err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	t.Cleanup(func() { <-ended })
}

// step does one thing that is to be done, and says how the cluster is.
func (w *world) step(ctx context.Context) error {
	list := &flamev1alpha1.FlameClusterList{}
	if err := w.k8s.List(ctx, list, client.InNamespace(w.namespace)); err != nil || len(list.Items) == 0 {
		return err
	}
	cluster := &list.Items[0]
	if err := w.sessionManager(ctx, cluster); err != nil {
		return err
	}
	pods := &corev1.PodList{}
	if err := w.k8s.List(ctx, pods, client.InNamespace(w.namespace), client.MatchingLabels(labelsOf(cluster, flamev1alpha1.ComponentExecutorManager))); err != nil {
		return err
	}
	var fresh, old []*corev1.Pod
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Labels["template"] == templateOf(cluster) {
			fresh = append(fresh, pod)
		} else {
			old = append(old, pod)
		}
	}
	wanted := w.wanted(cluster)
	w.work(append(slices.Clone(old), fresh...))
	if err := w.say(ctx, cluster, wanted, int32(len(fresh)+len(old)), int32(len(fresh))); err != nil {
		return err
	}
	if w.flaw == overshoots && wanted > 0 {
		wanted++
	}
	return w.scale(ctx, cluster, wanted, fresh, old)
}

// wanted is how many executor managers there should be.
func (w *world) wanted(cluster *flamev1alpha1.FlameCluster) int32 {
	spec := cluster.Spec.ExecutorManager
	if spec.Autoscaling == nil {
		return ptr.Deref(spec.Replicas, 0)
	}
	waiting, running := w.queue.load()
	wanted := min(waiting+running, spec.Autoscaling.MaxReplicas)
	switch w.flaw {
	case neverGrows:
		return 0
	case growsToOne:
		return min(wanted, 1)
	case neverShrinks:
		wanted = max(wanted, w.most)
	}
	w.most = max(w.most, wanted)
	return wanted
}

// work has pods that are there take tasks.
func (w *world) work(pods []*corev1.Pod) {
	var names []string
	for _, pod := range pods {
		names = append(names, pod.Name)
	}
	if w.flaw == oneIsIdle && len(names) > 1 {
		names = names[1:]
	}
	w.queue.connect(names)
}

// scale makes what pods are missing, or removes one.
func (w *world) scale(ctx context.Context, cluster *flamev1alpha1.FlameCluster, wanted int32, fresh, old []*corev1.Pod) error {
	var goes *corev1.Pod
	switch {
	case int(wanted) > len(fresh) && w.flaw != onlyDecides:
		for range int(wanted) - len(fresh) {
			if err := w.k8s.Create(ctx, podOf(cluster, flamev1alpha1.ComponentExecutorManager)); err != nil {
				return err
			}
		}
		return nil
	case len(old) > 1, len(old) == 1 && w.flaw != keepsAnOldOne:
		goes = old[0]
	case int(wanted) < len(fresh) && w.flaw != hidesThree:
		goes = fresh[0]
	default:
		return nil
	}
	if w.flaw == replacesTheSessionManager && len(old) > 0 {
		if err := w.k8s.Delete(ctx, podOf(cluster, flamev1alpha1.ComponentSessionManager)); err != nil {
			return err
		}
	}
	return client.IgnoreNotFound(w.k8s.Delete(ctx, goes))
}

func (w *world) sessionManager(ctx context.Context, cluster *flamev1alpha1.FlameCluster) error {
	err := w.k8s.Create(ctx, podOf(cluster, flamev1alpha1.ComponentSessionManager))
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// say writes the status.
func (w *world) say(ctx context.Context, cluster *flamev1alpha1.FlameCluster, wanted, there, fresh int32) error {
	status := &cluster.Status
	status.ObservedGeneration, status.State, status.SessionManager.Endpoint = cluster.Generation, flamev1alpha1.StateRunning, w.endpoint
	waiting, running := w.queue.load()
	busy := min(there, waiting+running)
	status.Load = &flamev1alpha1.LoadStatus{SessionsOpen: min(busy, 1), TasksPending: waiting, TasksRunning: running}
	if w.flaw == hidesThree && wanted == 0 {
		there, fresh = 0, 0
	}
	status.ExecutorManager = flamev1alpha1.ExecutorManagerStatus{Replicas: there, Ready: there, Updated: fresh, Busy: busy, Desired: wanted}
	conditions := map[string]bool{
		flamev1alpha1.ConditionReady: true, flamev1alpha1.ConditionProgressing: there != wanted || fresh != wanted,
	}
	if cluster.Spec.ExecutorManager.Autoscaling != nil {
		conditions[flamev1alpha1.ConditionScalingActive] = w.flaw != saysNothing || wanted == 0
		status.Autoscaling = &flamev1alpha1.AutoscalingStatus{
			DesiredReplicas: wanted, NeededReplicas: wanted, Reason: flamev1alpha1.ReasonFollowingLoad, LastScaleTime: ptr.To(metav1.Now()),
		}
	}
	for kind, is := range conditions {
		condition := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: flamev1alpha1.ReasonFollowingLoad, ObservedGeneration: cluster.Generation}
		if is {
			condition.Status = metav1.ConditionTrue
		}
		apimeta.SetStatusCondition(&status.Conditions, condition)
	}
	err := w.k8s.Status().Update(ctx, cluster)
	if apierrors.IsConflict(err) {
		return nil // The test has changed the spec meanwhile.
	}
	return client.IgnoreNotFound(err)
}

func labelsOf(cluster *flamev1alpha1.FlameCluster, component string) map[string]string {
	return map[string]string{flamev1alpha1.LabelCluster: cluster.Name, flamev1alpha1.LabelComponent: component}
}

// templateOf tells one template of executor managers from another.
func templateOf(cluster *flamev1alpha1.FlameCluster) string {
	return fmt.Sprintf("of-%d", len(cluster.Spec.ExecutorManager.Env))
}

// podOf is a pod for a cluster. Nothing will run it.
func podOf(cluster *flamev1alpha1.FlameCluster, component string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: cluster.Namespace, Labels: labelsOf(cluster, component)},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: component, Image: "none"}}},
	}
	if component == flamev1alpha1.ComponentSessionManager {
		pod.Name = naming.SessionManager(cluster.Name)
	} else {
		pod.GenerateName = naming.ExecutorManagerPrefix(cluster.Name)
		pod.Labels["template"] = templateOf(cluster)
	}
	return pod
}
