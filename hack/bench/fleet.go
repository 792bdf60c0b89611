// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

const (
	// fleetClusters have a session manager and fleetExecutors each, four pods.
	fleetClusters  = 1000
	fleetExecutors = 3
	fleetNamespace = "fleet"
	// atRest is how long the operator's writes at rest are counted.
	atRest = time.Minute
)

// fleetOf is many small clusters that run.
type fleetOf struct {
	server   *server
	manager  string
	kubelet  *kubelet
	clusters *clusterBoard
}

// measureFleet runs on an API server of its own, which notes what the operator writes.
func measureFleet(ctx context.Context, dir, manager string) ([]row, error) {
	arguments, err := auditArguments(dir)
	if err != nil {
		return nil, err
	}
	server, err := startServer(ctx, dir, arguments)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := &fleetOf{server: server, manager: manager}
	if err := server.namespace(ctx, fleetNamespace); err != nil {
		return nil, err
	}
	if f.kubelet, err = server.startKubelet(ctx); err != nil {
		return nil, err
	}
	if f.clusters, err = server.watchClusters(ctx, fleetNamespace); err != nil {
		return nil, err
	}
	return f.measure(ctx)
}

func (f *fleetOf) measure(ctx context.Context) ([]row, error) {
	first, err := f.server.startOperator(f.manager, "operator-1", "--leader-elect")
	if err != nil {
		return nil, err
	}
	defer first.kill()
	converged, err := f.converge(ctx)
	if err != nil {
		return nil, err
	}
	rest, err := f.rest(ctx)
	if err != nil {
		return nil, err
	}
	if err := first.stop(); err != nil {
		return nil, err
	}
	second, start, err := f.start(ctx)
	if err != nil {
		return nil, err
	}
	defer second.kill()
	failover, err := f.failOver(ctx, second)
	if err != nil {
		return nil, err
	}
	return append(append([]row{converged, rest}, start...), failover), nil
}

// converge makes the clusters and waits until all of them run.
func (f *fleetOf) converge(ctx context.Context) (row, error) {
	say("%d clusters × %d pods, with pods marked as ready by the bench, since no kubelet runs ...", fleetClusters, fleetExecutors+1)
	begin := time.Now()
	err := inParallel(fleetClusters, func(i int) error {
		return f.server.create(ctx, cluster(fleetNamespace, name(i), fleetExecutors))
	})
	if err != nil {
		return row{}, err
	}
	err = f.await(ctx, "run", 5*time.Minute, func(c *flamev1alpha1.FlameCluster) bool {
		return isAnswered(c) && c.Status.State == flamev1alpha1.StateRunning && c.Status.ExecutorManager.Ready == fleetExecutors
	})
	took := time.Since(begin)
	say("  %s", seconds(took))
	return duration(fmt.Sprintf("%d clusters × %d pods converged", fleetClusters, fleetExecutors+1), time.Minute, "258 s (published, GKE)", took), err
}

func name(i int) string { return fmt.Sprintf("c%d", i) }

// await waits until all clusters are as asked for.
func (f *fleetOf) await(ctx context.Context, are string, atMost time.Duration, matches func(*flamev1alpha1.FlameCluster) bool) error {
	err := f.clusters.await(ctx, "all clusters "+are, atMost, func() bool { return f.clusters.count(matches) == fleetClusters })
	if err != nil {
		f.clusters.mu.Lock()
		defer f.clusters.mu.Unlock()
		err = fmt.Errorf("%w (%d of %d do; the operator's log is in %s)", err, f.clusters.count(matches), fleetClusters, f.server.dir)
		return errors.Join(err, f.kubelet.failure())
	}
	return nil
}

// rest counts what the operator writes when there is nothing to do.
func (f *fleetOf) rest(ctx context.Context) (row, error) {
	if err := settle(ctx, f.server.dir, 10*time.Second, time.Minute); err != nil {
		return row{}, err
	}
	say("What the operator writes in %s at rest ...", atRest)
	before, err := writes(f.server.dir)
	if err != nil {
		return row{}, err
	}
	if err := sleep(ctx, atRest); err != nil {
		return row{}, err
	}
	after, err := writes(f.server.dir)
	if err != nil {
		return row{}, err
	}
	list := after[len(before):]
	for i, write := range list {
		if i == 10 {
			say("  and so on")
			break
		}
		say("  %s", write)
	}
	say("  %d writes, after %d that brought the clusters up", len(list), len(before))
	return writesAtRest(fmt.Sprintf("writes at rest with %d clusters", fleetClusters), "none seen with 100 clusters", len(list)), nil
}
