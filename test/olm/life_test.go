// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build olm

package olm

import (
	"context"
	"fmt"
	"testing"

	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	operatorsv2 "github.com/operator-framework/api/pkg/operators/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/live"
)

// life is an installation that manages all namespaces, and its clusters.
type life struct {
	operator installation
	// busy are two clusters that are at work all the time.
	busy []*load
	// third is one whose session manager is replaced at the wrong moment.
	third live.Cluster
	// before is what the containers of the busy clusters were when all began.
	before []live.Lifetimes
}

// TestInstallUpdateUninstallReinstall is one story: each step begins with what
// the one before has left, and the same clusters are at work through all of them.
func TestInstallUpdateUninstallReinstall(t *testing.T) {
	l := &life{operator: newInstallation(t, catalogName)}
	l.operator.subscribe(t, oldVersion)
	l.operator.approve(t, oldVersion)
	l.operator.succeeds(t, oldVersion)

	first := cluster.Create(t, cluster.NewNamespace(t), "first", replicas(2), live.WithClaim, live.WithCache)
	second := cluster.Create(t, cluster.NewNamespace(t), "second", replicas(2))
	l.third = cluster.Create(t, second.Namespace, "third")
	for _, c := range []live.Cluster{first, second, l.third} {
		c.Settled(t)
	}
	for _, c := range []live.Cluster{first, second} {
		l.busy = append(l.busy, newLoad(t, c))
		l.before = append(l.before, c.Lifetimes(t))
	}

	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"an update waits for a session manager to be replaced, and disturbs no cluster", l.update},
		{"without an operator clusters go on", l.uninstall},
		{"an operator that is installed again takes them over", l.reinstall},
	} {
		if !t.Run(step.name, step.run) {
			return
		}
	}
}

func (l *life) update(t *testing.T) {
	line := newTimeline()
	defer line.write(t)
	defer line.follow(l.operator)()
	l.begin(t)
	line.note("tasks run on clusters first and second: %s", l.tasks(t))

	release := hold(t, l.third)
	l.third.Apply(t, func(spec *flamev1alpha1.FlameClusterSpec) { spec.SessionManager.ScheduleIntervalMilliseconds = 150 })
	line.note("the session manager of a third cluster is to be replaced, and is kept from ending")
	l.operator.isNotUpgradeable(t, oldVersion)
	l.operator.approve(t, version)
	line.note("the update to %s is approved", version)
	waits := l.operator.waits(version)
	eventually(t, "the new CSV waits", waits)
	steadily(t, "the new CSV waits", waits)
	line.note("the update still waits: %s", l.tasks(t))
	old, err := l.operator.pods(t.Context())
	require.NoError(t, err)
	release()
	line.note("the session manager of the third cluster may end")

	eventually(t, "there is a pod of the new operator", func(ctx context.Context) error {
		pods, err := l.operator.pods(ctx)
		for _, pod := range pods {
			if pod.UID != old[0].UID {
				return nil
			}
		}
		return fmt.Errorf("there are %d pods: %w", len(pods), err)
	})
	l.busy[0].cluster.Apply(t, replicas(3))
	line.note("cluster first is changed to 3 executor managers: %s", l.tasks(t))
	eventually(t, "the old operator is told to stop", func(ctx context.Context) error {
		pods, err := l.operator.pods(ctx)
		for _, pod := range pods {
			if pod.UID == old[0].UID && pod.DeletionTimestamp == nil {
				return fmt.Errorf("it runs")
			}
		}
		return err
	})
	l.busy[1].cluster.Apply(t, replicas(3))
	line.note("cluster second is changed to 3 executor managers: %s", l.tasks(t))

	l.operator.succeeds(t, version)
	line.note("the update has succeeded: %s", l.tasks(t))
	for _, busy := range l.busy {
		assert.EqualValues(t, 3, busy.cluster.Settled(t).ExecutorManager.Ready)
		line.note("cluster %s has 3 executor managers", busy.cluster.Name)
	}
	l.third.Settled(t)
	for _, busy := range l.busy {
		busy.goesOn(t)
	}
	l.undisturbed(t)
	for _, busy := range l.busy {
		line.note("all %d tasks of cluster %s have run once, and none of its containers was started anew", busy.ends(t), busy.cluster.Name)
	}
}

func (l *life) uninstall(t *testing.T) {
	l.begin(t)
	l.operator.uninstall(t)
	for _, busy := range l.busy {
		busy.goesOn(t)
	}
	l.busy[0].cluster.Apply(t, replicas(4))
	steadily(t, "nobody acts", func(ctx context.Context) error {
		pods, err := l.busy[0].cluster.Pods(ctx, flamev1alpha1.ComponentExecutorManager)
		if err == nil && len(live.UIDsOf(pods)) != 3 {
			err = fmt.Errorf("there are %d executor managers", len(pods))
		}
		return err
	})
	l.undisturbed(t)
}

func (l *life) reinstall(t *testing.T) {
	l.operator.subscribe(t, "")
	l.operator.succeeds(t, version)
	// What was asked for meanwhile is done, and nothing else.
	assert.EqualValues(t, 4, l.busy[0].cluster.Settled(t).ExecutorManager.Ready)
	assert.EqualValues(t, 3, l.busy[1].cluster.Settled(t).ExecutorManager.Ready)
	for _, busy := range l.busy {
		busy.goesOn(t)
		busy.ends(t)
	}
	l.undisturbed(t)
}

// begin has both clusters work.
func (l *life) begin(t *testing.T) {
	t.Helper()
	for _, busy := range l.busy {
		busy.begin()
	}
	for _, busy := range l.busy {
		busy.goesOn(t)
	}
}

// tasks says how many tasks have succeeded.
func (l *life) tasks(t *testing.T) string {
	t.Helper()
	done := make([]int, len(l.busy))
	for n, busy := range l.busy {
		var err error
		done[n], err = busy.done(t.Context())
		require.NoError(t, err)
	}
	return fmt.Sprintf("%d and %d tasks done", done[0], done[1])
}

func (l *life) undisturbed(t *testing.T) {
	t.Helper()
	for n, busy := range l.busy {
		busy.cluster.GoOn(t, l.before[n])
	}
}

// isNotUpgradeable waits until the operator of a version says so itself.
func (i installation) isNotUpgradeable(t *testing.T, version string) {
	t.Helper()
	eventually(t, "the operator says that it is not to be replaced now", func(ctx context.Context) error {
		condition := &operatorsv2.OperatorCondition{}
		if err := k8s.Get(ctx, client.ObjectKey{Namespace: i.namespace, Name: csvName(version)}, condition); err != nil {
			return err
		}
		if !apimeta.IsStatusConditionPresentAndEqual(condition.Spec.Conditions, operatorsv2.Upgradeable, metav1.ConditionFalse) {
			return fmt.Errorf("its conditions are %+v", condition.Spec.Conditions)
		}
		return nil
	})
}

// waits returns a check that the CSV of a version waits for the one before it.
func (i installation) waits(version string) func(context.Context) error {
	return func(ctx context.Context) error {
		csv, err := i.csv(ctx, version)
		if err == nil && (csv.Status.Phase != operatorsv1alpha1.CSVPhasePending ||
			csv.Status.Reason != operatorsv1alpha1.CSVReasonOperatorConditionNotUpgradeable) {
			err = fmt.Errorf("it is %s: %s %s", csv.Status.Phase, csv.Status.Reason, csv.Status.Message)
		}
		return err
	}
}
