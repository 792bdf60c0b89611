// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
)

// disruptionBudget keeps the session manager from being evicted while tasks run.
//
// The budget asks for a number of pods: with maxUnavailable or a percentage, Kubernetes
// would take the scale of the owner, which counts executor managers, for the number of
// session managers. While nothing runs the budget asks for zero pods, rather than being
// deleted and made again.
func (b builder) disruptionBudget() *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	const component = flamev1alpha1.ComponentSessionManager
	if b.cluster.Spec.SessionManager.DisruptionBudget == flamev1alpha1.DisruptionBudgetNone {
		return nil
	}
	protected := int32(0)
	if b.in.TasksRun {
		protected = 1
	}
	return policyv1ac.PodDisruptionBudget(naming.SessionManager(b.cluster.Name), b.cluster.Namespace).
		WithLabels(naming.Labels(b.cluster.Name, component)).
		WithOwnerReferences(b.owner()).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithMinAvailable(intstr.FromInt32(protected)).
			WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(naming.Selector(b.cluster.Name, component))))
}
