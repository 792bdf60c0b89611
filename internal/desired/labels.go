// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
)

// podLabels returns the labels of a component's pod. The labels include the version of
// Flame, which differs between the pods of a cluster during an update.
func (b builder) podLabels(component string) map[string]string {
	labels := naming.Labels(b.cluster.Name, component)
	labels[flamev1alpha1.LabelVersion] = labelValue(b.version.String())
	if component == flamev1alpha1.ComponentSessionManager {
		labels[flamev1alpha1.LabelServing] = "true"
	}
	return labels
}

// labelValue makes a version fit into a label, which has a shorter limit and allows no plus.
func labelValue(version string) string {
	value := strings.ReplaceAll(version, "+", "_")
	return strings.TrimRight(value[:min(len(value), validation.LabelValueMaxLength)], "-_.")
}
