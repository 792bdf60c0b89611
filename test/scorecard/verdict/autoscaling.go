// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// Grown returns nil if autoscaling made as many executor managers as may be, for
// more tasks than they can take, and the status says of each number what it should:
// what is wanted, what runs, what works and for which load.
func Grown(cluster *flamev1alpha1.FlameCluster) error {
	if err := scaling(cluster, ""); err != nil {
		return err
	}
	most := cluster.Spec.ExecutorManager.Autoscaling.MaxReplicas
	now, decided, load := cluster.Status.ExecutorManager, cluster.Status.Autoscaling, cluster.Status.Load
	switch {
	case decided.DesiredReplicas != most || decided.NeededReplicas != most:
		return fmt.Errorf("%d executor managers are wanted and %d needed, where tasks wait for more than %d: %s",
			decided.DesiredReplicas, decided.NeededReplicas, most, decided.Reason)
	case decided.LastScaleTime == nil:
		return errors.New("status.autoscaling.lastScaleTime does not say when the number changed")
	case now.Desired != most || now.Replicas != most || now.Ready != most || now.Busy != most:
		return fmt.Errorf("of %d wanted executor managers there are %d, of which %d are ready and %d busy, where %d may be",
			now.Desired, now.Replicas, now.Ready, now.Busy, most)
	case load == nil || load.SessionsOpen == 0 || load.TasksRunning == 0:
		return fmt.Errorf("status.load says of a session with tasks that run: %+v", load)
	}
	return nil
}

// Bounded returns nil if there are no more executor managers than may be.
func Bounded(executors Pods, most int32) error {
	if len(executors) > int(most) {
		return fmt.Errorf("%d executor managers run where maxReplicas is %d: %v", len(executors), most, executors.Names())
	}
	return nil
}

// AtRest returns nil if an autoscaled cluster is settled with no executor manager,
// because nothing needs one.
func AtRest(cluster *flamev1alpha1.FlameCluster) error {
	if err := Settled(cluster); err != nil {
		return err
	}
	if err := scaling(cluster, flamev1alpha1.ReasonFollowingLoad); err != nil {
		return err
	}
	now, decided, load := cluster.Status.ExecutorManager, cluster.Status.Autoscaling, cluster.Status.Load
	switch {
	case decided.DesiredReplicas != 0 || decided.NeededReplicas != 0 || now.Replicas != 0:
		return fmt.Errorf("of %d wanted and %d needed executor managers there are %d, where nothing needs one",
			decided.DesiredReplicas, decided.NeededReplicas, now.Replicas)
	case load == nil || load.TasksPending != 0 || load.TasksRunning != 0:
		return fmt.Errorf("status.load says of a session manager without tasks: %+v", load)
	}
	return nil
}

// scaling returns nil if the status says that autoscaling works.
func scaling(cluster *flamev1alpha1.FlameCluster, reason string) error {
	if err := Condition(cluster, flamev1alpha1.ConditionScalingActive, metav1.ConditionTrue, reason); err != nil {
		return err
	}
	if cluster.Status.Autoscaling == nil {
		return errors.New("there is no status.autoscaling")
	}
	return nil
}
