// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build olm

package olm

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	operatorsv2 "github.com/operator-framework/api/pkg/operators/v2"
	"github.com/stretchr/testify/assert"
	coordinationv1 "k8s.io/api/coordination/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// timeline is what happened, and how many seconds after the start.
type timeline struct {
	start time.Time

	mu    sync.Mutex
	lines []string
}

func newTimeline() *timeline { return &timeline{start: time.Now()} }

func (l *timeline) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf("%6.1f  %s", time.Since(l.start).Seconds(), fmt.Sprintf(format, args...)))
}

// write keeps it where hack/test-olm finds it.
func (l *timeline) write(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.Join(l.lines, "\n") + "\n"
	t.Log("\n" + text)
	assert.NoError(t, os.WriteFile(filepath.Join(dir, "logs", "timeline"), []byte(text), 0o644))
}

// follow notes what becomes of an installation until stop is called.
func (l *timeline) follow(i installation) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		before := map[string]string{}
		for ctx.Err() == nil {
			if now, err := i.state(ctx); err == nil {
				l.noteChanges(before, now)
				before = now
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	return func() { cancel(); <-done }
}

func (l *timeline) noteChanges(before, now map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, there := now[key]; !there {
			l.note("%s is gone", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if before[key] != now[key] {
			l.note("%s: %s", key, now[key])
		}
	}
}

// state is what there is to see of an installation.
func (i installation) state(ctx context.Context) (map[string]string, error) {
	state, in := map[string]string{}, client.InNamespace(i.namespace)
	csvs := &operatorsv1alpha1.ClusterServiceVersionList{}
	if err := k8s.List(ctx, csvs, in); err != nil {
		return nil, err
	}
	for _, csv := range csvs.Items {
		state["CSV "+csv.Name] = "created"
		if csv.Status.Phase != "" {
			state["CSV "+csv.Name] = fmt.Sprintf("%s (%s)", csv.Status.Phase, csv.Status.Reason)
		}
	}
	conditions := &operatorsv2.OperatorConditionList{}
	if err := k8s.List(ctx, conditions, in); err != nil {
		return nil, err
	}
	for _, object := range conditions.Items {
		if upgradeable := apimeta.FindStatusCondition(object.Spec.Conditions, operatorsv2.Upgradeable); upgradeable != nil {
			state["OperatorCondition "+object.Name] = fmt.Sprintf("Upgradeable=%s (%s)", upgradeable.Status, upgradeable.Reason)
		}
	}
	pods, err := i.pods(ctx)
	if err != nil {
		return nil, err
	}
	for n := range pods {
		what := "starts"
		if isReady(&pods[n]) {
			what = "ready"
		}
		if pods[n].DeletionTimestamp != nil {
			what = "told to stop"
		}
		state["operator "+pods[n].Name[len(deploymentName)+1:]] = what
	}
	leases := &coordinationv1.LeaseList{}
	if err := k8s.List(ctx, leases, in); err != nil {
		return nil, err
	}
	for _, lease := range leases.Items {
		holder := "nobody's"
		if lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != "" {
			name, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
			holder = "held by " + strings.TrimPrefix(name, deploymentName+"-")
		}
		state["lease"] = holder
	}
	return state, nil
}
