// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/autoscale"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/pods"
	"github.com/xflops/flame-operator/internal/rollout"
	"github.com/xflops/flame-operator/internal/status"
)

// pass is one step of one cluster. The fields do not change in the course of a pass; what
// is found, built and decided goes from step to step as values.
type pass struct {
	r       *FlameClusterReconciler
	cluster *flamev1alpha1.FlameCluster
	memory  *memory
	now     time.Time
	// standsIn says that the cluster's spec is the last one that could run, since the
	// current one cannot. tolerated are the problems that are not held against the spec.
	standsIn  bool
	tolerated []string
}

// run observes, builds, decides and acts, and returns what the status is computed from.
// The problems are those that kept the spec from being read.
func (p *pass) run(ctx context.Context, problems []string) (status.Facts, report) {
	claims := p.keepClaims(ctx)
	found, err := p.observe(ctx)
	found.claims = claims
	if err != nil {
		return p.end(found, observation.Latest{}, nil, nil, classify(everything, err))
	}
	latest, err := p.observeFlame(found)
	if err != nil {
		return p.end(found, latest, nil, nil, classify(everything, err))
	}
	p, wanted, built := p.buildChosen(ctx, latest, problems)
	if p.standsIn {
		found.claims = p.lookAtClaims(ctx, found.claims.report)
	}
	if wanted == nil {
		found, kept := p.keepRunning(ctx, found, latest, built.invalid != nil)
		return p.end(found, latest, nil, nil, built.join(kept))
	}
	scale, scaled := p.decideScale(found, latest, wanted)
	found, acted := p.act(ctx, found, latest, wanted, p.replicas(scale))
	return p.end(found, latest, wanted, scale, built.join(scaled, acted))
}

// act carries out what each component needs. A component that fails keeps no other from
// being looked after, but without the configuration no new pod can be made.
func (p *pass) act(ctx context.Context, f found, latest observation.Latest, wanted *desired.Objects, replicas int) (found, report) {
	spec := classify(everything, p.keepSpec(ctx, wanted))
	if err := p.applyShared(ctx, wanted); err != nil {
		f, kept := p.keepRunning(ctx, f, latest, false)
		return f, spec.join(classify(everything, err), kept)
	}
	var claimed, sessionManager, executorManagers, objectCache report
	f.claims, claimed = p.applyClaims(ctx, f.claims, wanted)
	f.sessionManager, sessionManager = p.stepSessionManager(ctx, f, wanted)
	lost, nodes := p.stepNodes(ctx, f, latest)
	f.executorManagers, executorManagers = p.stepExecutorManagers(ctx, f, latest, wanted, replicas, lost)
	f.objectCache, objectCache = p.stepObjectCache(ctx, f, wanted)
	return f, spec.join(claimed, sessionManager, nodes, executorManagers, objectCache)
}

// keepRunning looks after what runs while no pod can be made: a session manager whose
// replacement has begun goes on if the spec has become invalid, nodes that are gone are
// fenced, and pods that are on their way out end their tasks. A suspended cluster loses
// its pods, for which nobody has to know what the cluster consists of.
func (p *pass) keepRunning(ctx context.Context, f found, latest observation.Latest, invalid bool) (found, report) {
	kept := classify(flamev1alpha1.ComponentObjectCache, p.keepOrDropClaims(ctx, f.objectCache))
	if p.cluster.Spec.Suspend {
		f, suspended := p.suspend(ctx, f)
		return f, kept.join(suspended)
	}
	var served report
	if invalid && rollout.IsWithdrawn(f.sessionManagerState()) {
		served = classify(flamev1alpha1.ComponentSessionManager, p.setServing(ctx, f.sessionManager, "true"))
	}
	_, nodes := p.stepNodes(ctx, f, latest)
	return f, kept.join(served, nodes)
}

// suspend removes every pod.
func (p *pass) suspend(ctx context.Context, f found) (found, report) {
	var err error
	f.sessionManager, err = p.takeStep(ctx, f.sessionManager, nil, rollout.NextStep(f.sessionManagerState(), "", true, p.now))
	gone := classify(flamev1alpha1.ComponentSessionManager, err)
	plan := rollout.Decide(rollout.Join(f.executorManagers.states, observation.Latest{}, false), rollout.Policy{Suspended: true}, p.now)
	if err = p.delete(ctx, f.executorManagers.objects, plan, nil, false); err == nil {
		f.executorManagers, err = p.listExecutorManagers(ctx)
	}
	gone = gone.join(classify(flamev1alpha1.ComponentExecutorManager, err))
	return f, gone.join(classify(flamev1alpha1.ComponentObjectCache, p.suspendObjectCache(ctx, f.objectCache)))
}

func (p *pass) name() types.NamespacedName { return client.ObjectKeyFromObject(p.cluster) }

// fleet names the pods of a component that the cluster itself owns.
func (p *pass) fleet(component string) pods.Fleet {
	prefix := naming.SessionManager(p.cluster.Name)
	if component == flamev1alpha1.ComponentExecutorManager {
		prefix = naming.ExecutorManagerPrefix(p.cluster.Name)
	}
	return pods.Fleet{Owner: p.cluster, Prefix: prefix, Labels: naming.Labels(p.cluster.Name, component)}
}

// end puts together what the status is computed from. Without wanted objects, or without
// a decision on the scale, those are nil.
func (p *pass) end(f found, latest observation.Latest, wanted *desired.Objects, scale *autoscale.Decision, r report) (status.Facts, report) {
	r = f.claims.report.join(r)
	facts := status.Facts{
		Cluster:          p.cluster,
		SessionManager:   f.sessionManagerState(),
		ExecutorManagers: f.executorManagers.states,
		ObjectCache:      f.objectCache,
		ObjectCachePods:  f.objectCachePods,
		Claims:           f.claims.wanted,
		Flame:            latest,
		Desired:          p.replicas(scale),
		Autoscaling:      scale,
		Invalid:          r.invalid,
		StandsIn:         p.standsIn,
		Tolerated:        p.tolerated,
		Missing:          r.missing,
		Obstacles:        r.obstacles,
		Now:              p.now,
	}
	if wanted != nil {
		facts.ExecutorManagerHash = templateHash(wanted.ExecutorManager)
		facts.ObjectCacheHash = wanted.ObjectCacheHash
	}
	return facts, r.join(after(facts.TurnsAfter()))
}
