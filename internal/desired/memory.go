// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"time"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/podstate"
)

// OutlivesPod reports whether a session manager remembers its sessions when its pod is
// made anew. Where a URI leads is not known here: it may well do.
func OutlivesPod(storage flamev1alpha1.SessionManagerStorage) bool {
	if storage.URISecretRef != nil {
		return true
	}
	return storage.Type != flamev1alpha1.StorageNone && (storage.VolumeClaimTemplate != nil || storage.ExistingClaim != "")
}

// StateSince returns when a session manager began with no memory: with its pod, or with
// its process if it stores nothing. It is zero if the storage outlives the pod.
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
