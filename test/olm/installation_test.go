// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build olm

package olm

import (
	"context"
	"fmt"
	"testing"

	operatorsv1 "github.com/operator-framework/api/pkg/operators/v1"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xflops/flame-operator/test/live"
)

// deploymentName is the name of the operator's Deployment and ServiceAccount.
const deploymentName = "flame-operator-controller-manager"

// installation is the operator as OLM installs it in a namespace.
type installation struct {
	namespace, catalog string
}

func csvName(version string) string { return packageName + ".v" + version }

// newInstallation makes a namespace for the operator, with an OperatorGroup that
// says which namespaces it is to manage: all, if none is given.
func newInstallation(t *testing.T, catalog string, targets ...string) installation {
	t.Helper()
	i := installation{cluster.NewNamespace(t), catalog}
	i.target(t, targets...)
	t.Cleanup(func() { i.leaves(t) })
	return i
}

// inItsNamespace is newInstallation with the operator's own namespace as the target.
func inItsNamespace(t *testing.T, catalog string) installation {
	t.Helper()
	i := installation{cluster.NewNamespace(t), catalog}
	i.target(t, i.namespace)
	t.Cleanup(func() { i.leaves(t) })
	return i
}

func (i installation) target(t *testing.T, namespaces ...string) {
	t.Helper()
	require.NoError(t, k8s.Create(t.Context(), &operatorsv1.OperatorGroup{
		ObjectMeta: metav1.ObjectMeta{Namespace: i.namespace, Name: "flame-operator"},
		Spec:       operatorsv1.OperatorGroupSpec{TargetNamespaces: namespaces},
	}))
}

// subscribe asks for the operator: for the newest version at once, or from a
// version on with every step to be approved.
func (i installation) subscribe(t *testing.T, from string) {
	t.Helper()
	spec := &operatorsv1alpha1.SubscriptionSpec{
		CatalogSource: i.catalog, CatalogSourceNamespace: olmNamespace, Package: packageName, Channel: channel,
		InstallPlanApproval: operatorsv1alpha1.ApprovalAutomatic,
	}
	if from != "" {
		spec.StartingCSV, spec.InstallPlanApproval = csvName(from), operatorsv1alpha1.ApprovalManual
	}
	require.NoError(t, k8s.Create(t.Context(), &operatorsv1alpha1.Subscription{
		ObjectMeta: metav1.ObjectMeta{Namespace: i.namespace, Name: packageName}, Spec: spec,
	}))
}

// approve waits for the InstallPlan of a version, and approves it.
func (i installation) approve(t *testing.T, version string) {
	t.Helper()
	eventually(t, "an InstallPlan for "+version+" wants to be approved", func(ctx context.Context) error {
		plans := &operatorsv1alpha1.InstallPlanList{}
		if err := k8s.List(ctx, plans, client.InNamespace(i.namespace)); err != nil {
			return err
		}
		for _, plan := range plans.Items {
			if len(plan.Spec.ClusterServiceVersionNames) == 1 && plan.Spec.ClusterServiceVersionNames[0] == csvName(version) &&
				plan.Status.Phase == operatorsv1alpha1.InstallPlanPhaseRequiresApproval {
				plan.Spec.Approved = true
				return k8s.Update(ctx, &plan)
			}
		}
		return fmt.Errorf("there are %d InstallPlans: %s", len(plans.Items), i.says(ctx))
	})
}

// succeeds waits until a version is installed, and it alone.
func (i installation) succeeds(t *testing.T, version string) {
	t.Helper()
	eventually(t, "the CSV of "+version+" has succeeded", func(ctx context.Context) error {
		csvs := &operatorsv1alpha1.ClusterServiceVersionList{}
		if err := k8s.List(ctx, csvs, client.InNamespace(i.namespace)); err != nil {
			return err
		}
		if len(csvs.Items) != 1 || csvs.Items[0].Name != csvName(version) || csvs.Items[0].Status.Phase != operatorsv1alpha1.CSVPhaseSucceeded {
			return fmt.Errorf("%s", i.says(ctx))
		}
		return nil
	})
	deployment := &appsv1.Deployment{}
	require.NoError(t, k8s.Get(t.Context(), client.ObjectKey{Namespace: i.namespace, Name: deploymentName}, deployment))
	require.Positive(t, deployment.Status.AvailableReplicas, "a pod of the operator is there")
}

// csv returns the CSV of a version.
func (i installation) csv(ctx context.Context, version string) (*operatorsv1alpha1.ClusterServiceVersion, error) {
	csv := &operatorsv1alpha1.ClusterServiceVersion{}
	return csv, k8s.Get(ctx, client.ObjectKey{Namespace: i.namespace, Name: csvName(version)}, csv)
}

// says is what OLM says of an installation, in a line.
func (i installation) says(ctx context.Context) string {
	var text string
	subscription := &operatorsv1alpha1.Subscription{}
	if err := k8s.Get(ctx, client.ObjectKey{Namespace: i.namespace, Name: packageName}, subscription); err != nil {
		text = err.Error()
	}
	text += "Subscription " + string(subscription.Status.State)
	for _, condition := range subscription.Status.Conditions {
		text += fmt.Sprintf("; %s=%s %s %s", condition.Type, condition.Status, condition.Reason, condition.Message)
	}
	csvs := &operatorsv1alpha1.ClusterServiceVersionList{}
	if err := k8s.List(ctx, csvs, client.InNamespace(i.namespace)); err != nil {
		text += err.Error()
	}
	for _, csv := range csvs.Items {
		text += fmt.Sprintf("; CSV %s %s %s %s", csv.Name, csv.Status.Phase, csv.Status.Reason, csv.Status.Message)
	}
	return text
}

// pods returns the operator's pods.
func (i installation) pods(ctx context.Context) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	err := k8s.List(ctx, list, client.InNamespace(i.namespace), client.MatchingLabels{"app.kubernetes.io/component": "controller-manager"})
	return list.Items, err
}

// isReady reports whether a pod lives and is ready.
func isReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return live.Lives(pod) && condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// uninstall does what docs/install.md says: the Subscription goes, and the CSV. The
// CRD stays, and with it every cluster.
func (i installation) uninstall(t *testing.T) {
	t.Helper()
	subscription := &operatorsv1alpha1.Subscription{ObjectMeta: metav1.ObjectMeta{Namespace: i.namespace, Name: packageName}}
	require.NoError(t, k8s.Delete(t.Context(), subscription))
	require.NoError(t, k8s.DeleteAllOf(t.Context(), &operatorsv1alpha1.ClusterServiceVersion{}, client.InNamespace(i.namespace),
		client.HasLabels{"operators.coreos.com/" + packageName + "." + i.namespace}))
	eventually(t, "the operator is gone", func(ctx context.Context) error {
		pods, err := i.pods(ctx)
		if err == nil && len(pods) > 0 {
			err = fmt.Errorf("there are %d pods", len(pods))
		}
		return err
	})
}

// leaves removes the operator at the end of a test, and waits until OLM has
// cleaned up behind it.
func (i installation) leaves(t *testing.T) {
	// The test's own context has ended.
	ctx, cancel := context.WithTimeout(context.Background(), live.Patience)
	defer cancel()
	if t.Failed() {
		t.Log(i.says(ctx))
	}
	in := client.InNamespace(i.namespace)
	require.NoError(t, k8s.DeleteAllOf(ctx, &operatorsv1alpha1.Subscription{}, in))
	require.NoError(t, k8s.DeleteAllOf(ctx, &operatorsv1alpha1.ClusterServiceVersion{}, in))
	require.NoError(t, live.Poll(ctx, func() error {
		csvs := &operatorsv1alpha1.ClusterServiceVersionList{}
		err := k8s.List(ctx, csvs)
		for _, csv := range csvs.Items {
			if csv.Namespace == i.namespace || csv.Labels[operatorsv1alpha1.CopiedLabelKey] == i.namespace {
				err = fmt.Errorf("CSV %s is still in %s", csv.Name, csv.Namespace)
			}
		}
		return err
	}))
}
