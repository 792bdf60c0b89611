// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/podstate"
	"github.com/xflops/flame-operator/internal/status"
)

const (
	// creationPatience is how long a pod may have a node and no container before its events
	// are asked for.
	creationPatience = time.Minute
)

// inquiry is the last look at the events of one of a component's pods.
type inquiry struct {
	at  time.Time
	pod types.UID
	// health is what the events said, if told.
	health podstate.Health
	told   bool
}

// explain adds to the facts what keeps pods from getting their containers, which only
// their events say. The plans are made before, and without what events say.
func (p *pass) explain(ctx context.Context, facts status.Facts) (status.Facts, report) {
	var waits report
	if facts.SessionManager != nil {
		one, asked := p.explainComponent(ctx, flamev1alpha1.ComponentSessionManager, []podstate.Pod{*facts.SessionManager})
		facts.SessionManager, waits = &one[0], asked
	}
	var executorManagers, objectCache report
	facts.ExecutorManagers, executorManagers = p.explainComponent(ctx, flamev1alpha1.ComponentExecutorManager, facts.ExecutorManagers)
	facts.ObjectCachePods, objectCache = p.explainComponent(ctx, flamev1alpha1.ComponentObjectCache, facts.ObjectCachePods)
	return facts, waits.join(executorManagers, objectCache)
}

// explainComponent looks at the events of the pod that is slowest to get its container.
func (p *pass) explainComponent(ctx context.Context, component string, pods []podstate.Pod) ([]podstate.Pod, report) {
	slowest := podstate.SlowestCreated(pods)
	if slowest < 0 {
		return pods, report{}
	}
	pod := pods[slowest]
	if left := creationPatience - p.now.Sub(pod.CreatingSince); left > 0 {
		return pods, after(left)
	}
	last := p.memory.inquiries[component]
	if p.now.Sub(last.at) >= inquiryDelay {
		last = inquiry{at: p.now, pod: pod.UID}
		last.health, last.told = pod.Hindered(p.eventsAbout(ctx, pod.UID), p.now)
		p.memory.inquiries[component] = last
	}
	if last.told && last.pod == pod.UID {
		pods = slices.Clone(pods)
		pods[slowest].Health = last.health
	}
	return pods, after(inquiryDelay - p.now.Sub(last.at))
}
