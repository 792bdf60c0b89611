// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// scales waits for a decision: so many executor managers are wanted, so many the
// load needs within the bounds, and ScalingActive is True and says why.
func (c flameCluster) scales(t *testing.T, desired, needed int32, reason string, words ...string) *flamev1alpha1.AutoscalingStatus {
	t.Helper()
	status := c.Status(t, fmt.Sprintf("wants %d executor managers, %s", desired, reason), func(status *flamev1alpha1.FlameClusterStatus) error {
		condition := apimeta.FindStatusCondition(status.Conditions, flamev1alpha1.ConditionScalingActive)
		switch now := status.Autoscaling; {
		case now == nil || condition == nil:
			return fmt.Errorf("it has decided nothing")
		case now.DesiredReplicas != desired || now.NeededReplicas != needed || now.Reason != reason:
			return fmt.Errorf("it has decided %+v", *now)
		case status.ExecutorManager.Desired != desired:
			return fmt.Errorf("executor managers: %+v", status.ExecutorManager)
		case condition.Status != metav1.ConditionTrue || condition.Reason != reason:
			return fmt.Errorf("the condition is %+v", *condition)
		}
		return mentions(condition.Message, append(words, "executorManager.replicas counts only when a cluster starts")...)
	})
	return status.Autoscaling
}

// autoscaled has as many executor managers as the load needs, within bounds.
func autoscaled(least, most int32) change {
	return func(spec *flamev1alpha1.FlameClusterSpec) {
		spec.ExecutorManager.Autoscaling = &flamev1alpha1.AutoscalingSpec{MinReplicas: least, MaxReplicas: most, ScaleDownDelaySeconds: 10}
	}
}

func TestAutoscalingFollowsTheLoadFromZeroToZero(t *testing.T) {
	t.Parallel()
	const session, most, waiting, milliseconds = "load", 3, 6, 1000
	c := create(t, newNamespace(t), "flame", replicas(1), autoscaled(0, most))
	events := c.watch(t, executors)
	eventually(t, "it starts with its replicas", func(ctx context.Context) error { return hasPods(ctx, c, 1) })
	c.scales(t, 0, 0, flamev1alpha1.ReasonFollowingLoad, "the load needs no executor manager")
	assert.Equal(t, flamev1alpha1.StateRunning, c.Settled(t).State)
	c.Has(t, executors, 0)

	c.scale(t, 5)
	c.scales(t, 0, 0, flamev1alpha1.ReasonFollowingLoad)
	steadily(t, "what kubectl scale asks for is ignored", func(ctx context.Context) error { return hasPods(ctx, c, 0) })
	assertScale(t, c, 5, 0)

	api := c.Flame(t)
	stop := api.Feed(t, session, waiting, milliseconds)
	up := c.scales(t, most, most, flamev1alpha1.ReasonAtMaximum, "maxReplicas allows 3")
	require.NotNil(t, up.LastScaleTime)
	c.Settled(t)
	pods := c.Has(t, executors, most)
	eventually(t, "every executor manager works", func(ctx context.Context) error { return haveWork(ctx, api, pods, 1) })
	assertScale(t, c, 5, most)
	tasks := stop()
	api.Succeed(t, session, tasks)
	assert.Equal(t, pods, c.Living(t, executors), "executors that wait for the next task are kept")
	api.Close(t, session)

	down := c.scales(t, most, 0, flamev1alpha1.ReasonScaleDownDelay, "3 are kept until")
	require.NotEmpty(t, down.Peaks)
	assert.EqualValues(t, most, down.Peaks[0].Replicas, "what is remembered is in the status")
	c.scales(t, 0, 0, flamev1alpha1.ReasonFollowingLoad)
	c.Has(t, executors, 0)
	c.Settled(t)
	assertScale(t, c, 5, 0)
	assertExecutions(t, api, session, tasks, 0)

	c.Apply(t, autoscaled(1, most))
	c.scales(t, 1, 1, flamev1alpha1.ReasonAtMinimum, "minReplicas keeps 1")
	c.Settled(t)
	c.Has(t, executors, 1)
	assert.Equal(t, most, mostAtOnce(events()), "the most executor managers that there were at once")
}

// hasPods checks how many pods of executor managers there are, in any state.
func hasPods(ctx context.Context, c flameCluster, want int) error {
	pods, err := c.Pods(ctx, executors)
	if err == nil && len(pods) != want {
		err = fmt.Errorf("there are %d", len(pods))
	}
	return err
}
