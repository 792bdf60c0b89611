// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// Replicas returns the number of executor managers that a cluster wants without
// autoscaling, and none for a cluster whose spec cannot be read.
func Replicas(cluster *flamev1alpha1.FlameCluster) int {
	if cluster.Spec.Suspend {
		return 0
	}
	return int(ptr.Deref(cluster.Spec.ExecutorManager.Replicas, 0))
}

// UpdateLimits returns how many executor managers beyond a total there may be during an
// update, and how many of the total may be missing. If both come to zero, which
// percentages of a small number may do, one executor manager may be missing, since
// nothing could be replaced otherwise.
func UpdateLimits(cluster *flamev1alpha1.FlameCluster, total int) (surge, unavailable int, err error) {
	strategy := cluster.Spec.ExecutorManager.UpdateStrategy
	if surge, err = updateLimit("maxSurge", strategy.MaxSurge, total, true); err != nil {
		return 0, 0, err
	}
	if unavailable, err = updateLimit("maxUnavailable", strategy.MaxUnavailable, total, false); err != nil {
		return 0, 0, err
	}
	if surge == 0 && unavailable == 0 {
		unavailable = 1
	}
	return surge, unavailable, nil
}

// updateLimit reads a limit that is a number, also one in quotes, or a percentage of a total.
func updateLimit(field string, limit intstr.IntOrString, total int, roundUp bool) (int, error) {
	if limit.Type == intstr.String {
		limit = intstr.Parse(limit.StrVal)
	}
	number, err := intstr.GetScaledValueFromIntOrPercent(&limit, total, roundUp)
	if err != nil || number < 0 {
		return 0, Invalid("executorManager.updateStrategy.%s is %s: set a number of at least 0, or a percentage", field, quoted(limit.String()))
	}
	return number, nil
}
