// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package live holds the tests of the scorecard that need a cluster and the
// operator on it.
//
// Each test has a FlameCluster of its own in the namespace of the scorecard, made from
// the example in the bundle, so that the cluster runs the images that a user would, and
// removes the cluster when the test ends. The tests run side by side and know nothing of
// each other. A new test is a function of a trial, a line in Tests, and an entry in
// config/scorecard.
package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"

	"github.com/xflops/flame-operator/test/scorecard/report"
	"github.com/xflops/flame-operator/test/scorecard/runner"
)

// Suite returns all live tests. The time limits fit into the ten minutes that
// operator-sdk scorecard should be given, and into the 30 s that Kubernetes waits for a
// pod to end.
func Suite() runner.Suite {
	return runner.Suite{Tests: tests(inPod), Limit: 5 * time.Minute, Grace: 20 * time.Second}
}

// tests returns the tests, for trials that begin makes.
func tests(begin func(log *runner.Log) (*trial, error)) []runner.Test {
	var list []runner.Test
	for _, test := range []struct {
		name string
		run  func(t *trial, ctx context.Context) error
	}{
		{"flamecluster-runs-tasks", (*trial).runsTasks},
		{"flamecluster-scales", (*trial).scales},
		{"flamecluster-heals", (*trial).heals},
		{"flamecluster-refuses-bad-specs", (*trial).refusesBadSpecs},
		{"flamecluster-rolls", (*trial).rolls},
		{"flamecluster-updates-while-busy", (*trial).updatesWhileBusy},
		{"flamecluster-autoscales", (*trial).autoscales},
		{"flamecluster-suspends", (*trial).suspends},
		{"flamecluster-deletes-clean", (*trial).deletesClean},
	} {
		list = append(list, runner.Test{Name: test.name, Run: func(ctx context.Context, log *runner.Log) error {
			t, err := begin(log)
			if err != nil {
				return err
			}
			t.test = test.name
			defer t.cleanUp(ctx)
			err = test.run(t, ctx)
			if err != nil {
				t.describe(ctx)
			}
			return t.explain(err)
		}})
	}
	return list
}

// explain adds what a user can do about an error.
func (t *trial) explain(err error) error {
	if err == nil {
		return nil
	}
	problem, known := errors.AsType[*report.Problem](err)
	switch {
	case apierrors.IsForbidden(err):
		return report.Unable(err, fmt.Sprintf(
			"the scorecard's service account lacks a right in namespace %s: kubectl apply -k config/scorecard/rbac, with that namespace in its kustomization.yaml, and run operator-sdk scorecard with --service-account flame-scorecard", t.namespace))
	case apimeta.IsNoMatchError(err):
		return report.Unable(err, "install the operator first: its CRD is not on the cluster")
	case !known:
		return report.Unable(err)
	case len(problem.Suggestions) == 0 && errors.Is(err, errUnseen):
		problem.Suggestions = []string{fmt.Sprintf(
			"see that the operator runs (kubectl get deployments -A -l app.kubernetes.io/name=flame-operator) and that it watches namespace %s (with OLM: that the OperatorGroup targets it)", t.namespace)}
	case len(problem.Suggestions) == 0:
		problem.Suggestions = []string{"look at the log of this test, which ends with the FlameCluster's conditions, its pods and events; docs/flamecluster.md says what they ask for, and the operator's log has the rest"}
	}
	return err
}
