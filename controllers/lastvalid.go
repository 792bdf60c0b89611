// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/status"
)

// buildChosen builds what the spec asks for or, if the spec is invalid, what is carried out
// in its place. The pass that buildChosen returns is the one for what was built. The objects
// are nil if nothing can be built, and then the report says why.
func (p *pass) buildChosen(ctx context.Context, latest observation.Latest, problems []string) (*pass, *desired.Objects, report) {
	wanted, built := p.build(ctx, latest, problems)
	if built.invalid == nil {
		return p, wanted, built
	}
	last, err := p.lastValid(ctx)
	if last == nil {
		return p, nil, built.join(classify(everything, err))
	}
	choice, ok := desired.Choose(last, p.cluster, len(problems) == 0)
	if !ok {
		return p, nil, built
	}
	chosen := *p
	chosen.cluster, chosen.standsIn, chosen.tolerated = choice.Cluster, choice.StandsIn, choice.Tolerated
	wanted, again := chosen.build(ctx, latest, nil)
	if choice.StandsIn {
		again = built.join(again)
	}
	return &chosen, wanted, again
}

// lastValid returns the cluster with the last spec that could run, and nil if there is
// none. A spec that an older operator found valid, which kept none, is that spec.
func (p *pass) lastValid(ctx context.Context) (*flamev1alpha1.FlameCluster, error) {
	kept, err := p.keptSpecs(ctx)
	if err != nil {
		return nil, err
	}
	if last := desired.LastValid(p.cluster, kept); last != nil {
		return last, nil
	}
	if status.FoundValid(p.cluster) {
		return p.cluster, nil
	}
	return nil, nil
}

func (p *pass) keptSpecs(ctx context.Context) ([]appsv1.ControllerRevision, error) {
	list := &appsv1.ControllerRevisionList{}
	of := client.MatchingLabels(naming.Selector(p.cluster.Name, ""))
	if err := p.r.List(ctx, list, client.InNamespace(p.cluster.Namespace), of); err != nil {
		return nil, fmt.Errorf("list the ControllerRevisions of FlameCluster %q: %w", p.cluster.Name, err)
	}
	return list.Items, nil
}

// keepSpec keeps the spec that is carried out, and removes those kept before.
func (p *pass) keepSpec(ctx context.Context, wanted *desired.Objects) error {
	if err := p.memory.applier.Apply(ctx, p.cluster, wanted.LastValid, &appsv1.ControllerRevision{}); err != nil {
		return err
	}
	if p.memory.kept == *wanted.LastValid.Name {
		return nil
	}
	kept, err := p.keptSpecs(ctx)
	if err != nil {
		return err
	}
	for i := range kept {
		if kept[i].Name != *wanted.LastValid.Name {
			if err := p.memory.applier.Prune(ctx, p.cluster, &kept[i]); err != nil {
				return err
			}
		}
	}
	p.memory.kept = *wanted.LastValid.Name
	return nil
}
