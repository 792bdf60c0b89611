// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

const (
	// rounds is how often one cluster is scaled up, each time after the bare
	// client has done the same. The medians count.
	rounds = 9
	// podsOfOne is how many executor managers a cluster gets at once.
	podsOfOne = 100
	// manyClusters get podsOfOne each, all at the same time.
	manyClusters = 100
	// afterCreation is how long the operator is left alone before its memory is
	// measured, so that it can give back what it needed for a moment.
	afterCreation = 20 * time.Second
)

// speed measures how fast pods are created, and what they cost in memory.
type speed struct {
	server   *server
	pods     *podBoard
	bare     *bareClient
	operator *operator
}

// measureSpeed runs on an API server of its own.
func measureSpeed(ctx context.Context, dir, manager string) ([]row, error) {
	server, err := startServer(ctx, dir, nil)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pods, err := server.watchPods(ctx)
	if err != nil {
		return nil, err
	}
	operator, err := server.startOperator(manager, "operator")
	if err != nil {
		return nil, err
	}
	defer operator.kill()
	s := &speed{server: server, pods: pods, bare: &bareClient{server: server, pods: pods}, operator: operator}
	one, err := s.one(ctx)
	if err != nil {
		return nil, err
	}
	many, err := s.many(ctx)
	return append(one, many...), err
}

// one scales one cluster after the other from no executor manager to all.
func (s *speed) one(ctx context.Context) ([]row, error) {
	say("1 cluster, 0 → %d executor managers, %d times, beside the bare client ...", podsOfOne, rounds)
	var ours, bare []time.Duration
	for round := range rounds + 1 {
		byBare, err := s.inNamespace(ctx, fmt.Sprintf("bare-%d", round), s.byBare)
		if err != nil {
			return nil, err
		}
		byUs, err := s.inNamespace(ctx, fmt.Sprintf("one-%d", round), s.byUs)
		if err != nil {
			return nil, err
		}
		if round == 0 {
			continue // The API server has to get warm.
		}
		say("  %s; the bare client %s", seconds(byUs), seconds(byBare))
		ours, bare = append(ours, byUs), append(bare, byBare)
	}
	return []row{
		duration(fmt.Sprintf("1 cluster, 0 → %d executor managers created", podsOfOne), 200*time.Millisecond, "0.65 s", median(ours)),
		ratio("  of the bare client's rate", 0.7, rate{podsOfOne, median(ours)}, rate{podsOfOne, median(bare)}),
	}, nil
}

func (s *speed) inNamespace(ctx context.Context, name string, measure func(context.Context, string) (time.Duration, error)) (time.Duration, error) {
	if err := s.server.namespace(ctx, name); err != nil {
		return 0, err
	}
	return measure(ctx, name)
}

func (s *speed) byBare(ctx context.Context, namespace string) (time.Duration, error) {
	made, err := s.bare.create(ctx, namespace, podsOfOne)
	return made.took, err
}

// byUs returns the time from the change of the spec to the last pod.
func (s *speed) byUs(ctx context.Context, namespace string) (time.Duration, error) {
	clusters, err := s.server.watchClusters(ctx, namespace)
	if err != nil {
		return 0, err
	}
	c := cluster(namespace, "c", 0)
	if err := s.server.create(ctx, c); err != nil {
		return 0, err
	}
	err = clusters.await(ctx, "the operator answers a new FlameCluster; its log is "+s.operator.log, time.Minute, func() bool {
		return len(clusters.clusters) == 1 && clusters.count(isAnswered) == 1
	})
	if err != nil {
		return 0, err
	}
	// The work at the start of a cluster is not measured here.
	if err := sleep(ctx, time.Second); err != nil {
		return 0, err
	}
	started := time.Now()
	err = s.server.edit(ctx, c, func(spec *flamev1alpha1.FlameClusterSpec) { *spec.ExecutorManager.Replicas = podsOfOne })
	if err != nil {
		return 0, err
	}
	made, err := s.pods.made(ctx, namespace, podsOfOne, time.Minute)
	if err != nil {
		return 0, err
	}
	return made.last.Sub(started), nil
}

// many makes many clusters at the same time. The bare client makes half of its
// pods before and half after, so that the API server is as full for both.
func (s *speed) many(ctx context.Context) ([]row, error) {
	const total = manyClusters * podsOfOne
	say("%d clusters × %d executor managers, beside the bare client ...", manyClusters, podsOfOne)
	before, err := s.bareHalf(ctx, "bare-before", total/2)
	if err != nil {
		return nil, err
	}
	idle, err := s.operator.resident()
	if err != nil {
		return nil, err
	}
	ours, first, err := s.fill(ctx)
	if err != nil {
		return nil, err
	}
	memory, err := s.memory(ctx, idle, total)
	if err != nil {
		return nil, err
	}
	after, err := s.bareHalf(ctx, "bare-after", total/2)
	if err != nil {
		return nil, err
	}
	say("  %s, the first pods within %s; the bare client %s", seconds(ours.took), seconds(first), seconds(before.took+after.took))
	return append([]row{
		duration(fmt.Sprintf("%d clusters × %d executor managers created", manyClusters, podsOfOne), 20*time.Second, "99.7 s", ours.took),
		ratio("  of the bare client's rate", 0.6, ours, rate{total, before.took + after.took}),
		duration("  every cluster's first one", 5*time.Second, none, first),
	}, memory...), nil
}

func (s *speed) bareHalf(ctx context.Context, namespace string, count int) (rate, error) {
	if err := s.server.namespace(ctx, namespace); err != nil {
		return rate{}, err
	}
	return s.bare.create(ctx, namespace, count)
}

// fill returns the rate from the first cluster's creation to the last pod, and
// the longest time from a cluster's creation to its first executor manager.
func (s *speed) fill(ctx context.Context) (rate, time.Duration, error) {
	const namespace, total = "many", manyClusters * podsOfOne
	if err := s.server.namespace(ctx, namespace); err != nil {
		return rate{}, 0, err
	}
	started := make([]time.Time, manyClusters)
	begin := time.Now()
	err := inParallel(manyClusters, func(i int) error {
		started[i] = time.Now()
		return s.server.create(ctx, cluster(namespace, fmt.Sprintf("c%d", i), podsOfOne))
	})
	if err != nil {
		return rate{}, 0, err
	}
	made, err := s.pods.made(ctx, namespace, total, 5*time.Minute)
	if err != nil {
		return rate{}, 0, err
	}
	var longest time.Duration
	for i, since := range started {
		longest = max(longest, made.first[fmt.Sprintf("c%d", i)].Sub(since))
	}
	return rate{total, made.last.Sub(begin)}, longest, nil
}

// memory is what the operator holds once it has nothing left to do.
func (s *speed) memory(ctx context.Context, idle float64, total int) ([]row, error) {
	if err := sleep(ctx, afterCreation); err != nil {
		return nil, err
	}
	full, err := s.operator.resident()
	if err != nil {
		return nil, err
	}
	say("  the operator holds %.0f MB, and held %.0f MB before", full/mega, idle/mega)
	return []row{
		amount(fmt.Sprintf("resident memory with %d pods", total), "MB", 120, "280 MB", full/mega),
		amount("  for each of them", "KB", 8, "28 KB", max(0, full-idle)/float64(total)/kilo),
	}, nil
}

const kilo, mega = 1e3, 1e6
