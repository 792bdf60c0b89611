// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package naming

import (
	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// ManagedBy is the value of the label that the operator's caches select by.
const ManagedBy = "flame-operator"

const flame = "flame"

// Labels returns the labels of an object of a component, or of the whole
// cluster if component is empty.
func Labels(cluster, component string) map[string]string {
	labels := Selector(cluster, component)
	labels[flamev1alpha1.LabelCluster] = cluster
	labels[flamev1alpha1.LabelPartOf] = flame
	labels[flamev1alpha1.LabelManagedBy] = ManagedBy
	return labels
}

// ClaimLabels returns the labels of a claim of a component. A claim may outlive its cluster
// and has no owner then. Argo CD takes an object without an owner for a part of the
// application that LabelInstance names, and would delete the claim with what it holds.
func ClaimLabels(cluster, component string) map[string]string {
	labels := Labels(cluster, component)
	delete(labels, flamev1alpha1.LabelInstance)
	return labels
}

// Selector returns the labels that select the pods of a component. The labels never change,
// since a StatefulSet could not follow.
func Selector(cluster, component string) map[string]string {
	selector := map[string]string{
		flamev1alpha1.LabelName:     flame,
		flamev1alpha1.LabelInstance: cluster,
	}
	if component != "" {
		selector[flamev1alpha1.LabelComponent] = component
	}
	return selector
}
