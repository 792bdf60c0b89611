// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// ManagedBy is the value of the label that the operator's caches select by.
const ManagedBy = "flame-operator"

const flame = "flame"

// Labels returns the labels of an object of a component, or of the whole
// cluster if component is empty.
func Labels(cluster *flamev1alpha1.FlameCluster, component string) map[string]string {
	labels := Selector(cluster, component)
	labels[flamev1alpha1.LabelCluster] = cluster.Name
	labels[flamev1alpha1.LabelPartOf] = flame
	labels[flamev1alpha1.LabelManagedBy] = ManagedBy
	return labels
}

// Selector returns the labels that select the pods of a component. They never
// change: a StatefulSet could not follow.
func Selector(cluster *flamev1alpha1.FlameCluster, component string) map[string]string {
	selector := map[string]string{
		flamev1alpha1.LabelName:     flame,
		flamev1alpha1.LabelInstance: cluster.Name,
	}
	if component != "" {
		selector[flamev1alpha1.LabelComponent] = component
	}
	return selector
}

// podLabels adds the version of Flame, which differs between pods of a cluster
// while it is being updated.
func (b builder) podLabels(component string) map[string]string {
	labels := Labels(b.cluster, component)
	labels[flamev1alpha1.LabelVersion] = labelValue(b.version.String())
	if component == flamev1alpha1.ComponentSessionManager {
		labels[flamev1alpha1.LabelServing] = "true"
	}
	return labels
}

// labelValue makes a version fit into a label, which is shorter and knows no plus.
func labelValue(version string) string {
	value := strings.ReplaceAll(version, "+", "_")
	return strings.TrimRight(value[:min(len(value), validation.LabelValueMaxLength)], "-_.")
}
