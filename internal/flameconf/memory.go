// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flameconf

import (
	"k8s.io/apimachinery/pkg/api/resource"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// CacheMemory returns the memory that objects may take in the cache: what the spec says, or
// three quarters of the container's limit, which leaves room for what is under way, or 1Gi,
// Flame's own default.
func CacheMemory(spec *flamev1alpha1.ObjectCacheSpec) resource.Quantity {
	if spec.Eviction.MaxMemory != nil {
		return *spec.Eviction.MaxMemory
	}
	if limit := spec.Resources.Limits.Memory(); !limit.IsZero() {
		return *resource.NewQuantity(limit.Value()/4*3, resource.BinarySI)
	}
	return resource.MustParse("1Gi")
}
