// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// start changes every cluster while no operator runs, so that it shows in the
// clusters when the next one has reconciled them.
func (f *fleetOf) start(ctx context.Context) (*operator, []row, error) {
	say("Start to the first and to all of %d changed clusters reconciled ...", fleetClusters)
	if err := f.changeAll(ctx); err != nil {
		return nil, nil, err
	}
	next, err := f.server.startOperator(f.manager, "operator-2", "--leader-elect")
	if err != nil {
		return nil, nil, err
	}
	if err := f.await(ctx, "are reconciled", 2*time.Minute, isAnswered); err != nil {
		next.kill()
		return nil, nil, err
	}
	first, last := f.answers(next.started)
	say("  %s and %s", seconds(first), seconds(last))
	return next, []row{
		duration("start to first reconcile", time.Second, "1.4 s", first),
		duration(fmt.Sprintf("start to all of %d reconciled", fleetClusters), 5*time.Second, "5 s with 100 clusters", last),
	}, nil
}

// changeAll changes, in every cluster, a field that makes no pod differ.
func (f *fleetOf) changeAll(ctx context.Context) error {
	f.clusters.mu.Lock()
	var all []*flamev1alpha1.FlameCluster
	for _, cluster := range f.clusters.clusters {
		all = append(all, cluster.DeepCopy())
	}
	f.clusters.mu.Unlock()
	err := inParallel(len(all), func(i int) error { return f.change(ctx, all[i], 2) })
	if err != nil {
		return err
	}
	return f.await(ctx, "are changed", time.Minute, func(c *flamev1alpha1.FlameCluster) bool { return !isAnswered(c) })
}

// change sets a field that only a roll of executor managers reads.
func (f *fleetOf) change(ctx context.Context, cluster *flamev1alpha1.FlameCluster, surge int32) error {
	return f.server.edit(ctx, cluster, func(spec *flamev1alpha1.FlameClusterSpec) {
		spec.ExecutorManager.UpdateStrategy.MaxSurge = intstr.FromInt32(surge)
	})
}

// answers returns how long after a time the first and the last cluster's status
// answered its change.
func (f *fleetOf) answers(since time.Time) (first, last time.Duration) {
	f.clusters.mu.Lock()
	defer f.clusters.mu.Unlock()
	for _, at := range f.clusters.answered {
		took := at.Sub(since)
		if last == 0 || took < first {
			first = took
		}
		last = max(last, took)
	}
	return first, last
}

// failOver stops the operator that leads while another stands by, and returns
// the time until that one has reconciled a change.
func (f *fleetOf) failOver(ctx context.Context, leader *operator) (row, error) {
	say("Failover when the leader is stopped ...")
	standby, err := f.server.startOperator(f.manager, "operator-3", "--leader-elect")
	if err != nil {
		return row{}, err
	}
	defer standby.kill()
	if err := standby.logged(ctx, "ttempting to acquire leader lease", 30*time.Second); err != nil {
		return row{}, err
	}
	// The other operator fills its caches meanwhile.
	if err := sleep(ctx, 5*time.Second); err != nil {
		return row{}, err
	}
	begin := time.Now()
	if err := leader.stop(); err != nil {
		return row{}, err
	}
	stopped := time.Since(begin)
	// The clusters change only now, so that the other operator answers.
	f.clusters.mu.Lock()
	changed := f.clusters.clusters[name(0)].DeepCopy()
	f.clusters.mu.Unlock()
	if err := f.change(ctx, changed, 3); err != nil {
		return row{}, err
	}
	err = f.clusters.await(ctx, "the other operator takes over; its log is "+standby.log, time.Minute, func() bool {
		now := f.clusters.clusters[name(0)]
		return now.Generation == changed.Generation && isAnswered(now)
	})
	took := time.Since(begin)
	say("  %s; the leader took %s to stop", seconds(took), seconds(stopped))
	return duration("failover on graceful stop", 5*time.Second, none, took), err
}
