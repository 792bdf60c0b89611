// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/scorecard/report"
	"github.com/xflops/flame-operator/test/scorecard/verdict"
)

// refusesBadSpecs tries specs that cannot run, and sees who says so in which words.
func (t *trial) refusesBadSpecs(ctx context.Context) error {
	for _, refusal := range verdict.AtAdmission() {
		if err := t.notAdmitted(ctx, refusal); err != nil {
			return err
		}
	}
	return t.notRun(ctx, verdict.ByTheOperator())
}

// notAdmitted tries a spec without making anything.
func (t *trial) notAdmitted(ctx context.Context, refusal verdict.Refusal) error {
	err := t.k8s.Create(ctx, t.draft(refusal.Change), client.DryRunAll)
	switch {
	case err == nil:
		return report.Failed(fmt.Errorf("the API server takes a FlameCluster with %s", refusal.Why))
	case !apierrors.IsInvalid(err):
		return fmt.Errorf("try a FlameCluster with %s: %w", refusal.Why, err)
	}
	if err := verdict.Says(err.Error(), refusal.Words...); err != nil {
		return report.Failed(fmt.Errorf("the refusal of a FlameCluster with %s: %w", refusal.Why, err))
	}
	t.log.Printf("refused, with %s: %v", refusal.Why, err)
	return nil
}

// notRun makes one cluster with one bad spec after the other and a good one at last.
func (t *trial) notRun(ctx context.Context, refusals []verdict.Refusal) error {
	c, err := t.create(ctx, withoutCache, withoutClaim, refusals[0].Change)
	if err != nil {
		return err
	}
	good := t.draft(withoutCache, withoutClaim).Spec
	for _, refusal := range refusals {
		if err := c.apply(ctx, func(cluster *flamev1alpha1.FlameCluster) {
			cluster.Spec = *good.DeepCopy()
			refusal.Change(cluster)
		}); err != nil {
			return err
		}
		if err := c.becomes(ctx, fmt.Sprintf("SpecValid=False, with %s", refusal.Why), t.patience.step, func(cluster *flamev1alpha1.FlameCluster) error {
			return verdict.Refused(cluster, refusal.Words...)
		}); err != nil {
			return err
		}
	}
	left, err := c.objects(ctx)
	if err != nil {
		return err
	}
	if err := verdict.Left(left, nil); err != nil {
		return report.Failed(fmt.Errorf("for a FlameCluster that cannot run: %w", err))
	}
	if err := c.apply(ctx, func(cluster *flamev1alpha1.FlameCluster) { cluster.Spec = good }); err != nil {
		return err
	}
	return c.settles(ctx, "a good spec is taken up")
}
