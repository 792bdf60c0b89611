// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/desired"
)

// bareWorkers is how many requests the bare client has under way. More make it
// no faster on the machine of the budgets.
const bareWorkers = 10

// bareClient creates pods as fast as the API server takes them: it reads
// nothing, decides nothing and remembers nothing.
type bareClient struct {
	server *server
	pods   *podBoard
}

// create makes count executor managers in a namespace and returns at what rate
// the API server showed them.
func (b *bareClient) create(ctx context.Context, namespace string, count int) (rate, error) {
	template, err := b.template(ctx, namespace)
	if err != nil {
		return rate{}, err
	}
	started := time.Now()
	err = inParallel(count, func(i int) error {
		pod := template.DeepCopy()
		pod.Name = fmt.Sprintf("bare-executor-manager-%05d", i)
		return b.server.create(ctx, pod)
	})
	if err != nil {
		return rate{}, err
	}
	made, err := b.pods.made(ctx, namespace, count, time.Minute)
	if err != nil {
		return rate{}, err
	}
	return rate{pods: count, took: made.last.Sub(started)}, nil
}

// template is the very pod that the operator makes, of a cluster that does not
// exist and under a label that the operator's caches leave out.
func (b *bareClient) template(ctx context.Context, namespace string) (*corev1.Pod, error) {
	owner := cluster(namespace, "bare", 0)
	if err := b.server.client.Create(ctx, owner, client.DryRunAll); err != nil {
		return nil, fmt.Errorf("ask for the defaults of a FlameCluster: %w", err)
	}
	owner.UID = types.UID(uuid.NewUUID())
	objects, err := desired.Build(owner, desired.Inputs{})
	if err != nil {
		return nil, fmt.Errorf("build a pod for the bare client: %w", err)
	}
	pod := objects.ExecutorManager
	pod.Labels[flamev1alpha1.LabelManagedBy] = "bench"
	return pod, nil
}

// inParallel does n pieces of work, some at the same time, and returns the first error.
func inParallel(n int, work func(i int) error) error {
	group := errgroup.Group{}
	group.SetLimit(bareWorkers)
	for i := range n {
		group.Go(func() error { return work(i) })
	}
	return group.Wait()
}

// median is the middle one of an odd number of times.
func median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}
