// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"time"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/podstate"
)

// OutlivesPod reports whether a session manager remembers its sessions when its pod is
// made anew. A URI counts as storage that outlives the pod, since its target is not known
// here and may well do so.
func OutlivesPod(storage flamev1alpha1.SessionManagerStorage) bool {
	if storage.URISecretRef != nil {
		return true
	}
	return storage.Type != flamev1alpha1.StorageNone && (storage.VolumeClaimTemplate != nil || storage.ExistingClaim != "")
}

// StateSince returns the time at which a session manager began with no memory: the
// creation of its pod, or the start of its process if it stores nothing. The time is zero
// if the storage outlives the pod.
func StateSince(storage flamev1alpha1.SessionManagerStorage, pod podstate.Pod) time.Time {
	switch {
	case OutlivesPod(storage):
		return time.Time{}
	case storage.Type == flamev1alpha1.StorageNone:
		return pod.StartedAt
	default:
		return pod.CreatedAt
	}
}
