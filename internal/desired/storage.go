// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/podstate"
	"github.com/xflops/flame-operator/internal/storage"
)

// OwnsClaim reports whether the session manager's claim is to go with its cluster. A claim
// that the spec no longer asks the operator to make is let go, as one that is retained is.
func OwnsClaim(cluster *flamev1alpha1.FlameCluster) bool {
	kept := cluster.Spec.SessionManager.Storage
	return kept.VolumeClaimTemplate != nil && kept.WhenDeleted == flamev1alpha1.WhenDeletedDelete
}

// claimName returns the name of the claim that the session manager mounts, if any.
func claimName(cluster *flamev1alpha1.FlameCluster) string {
	if cluster.Spec.SessionManager.Storage.VolumeClaimTemplate != nil {
		return naming.SessionManager(cluster.Name)
	}
	return cluster.Spec.SessionManager.Storage.ExistingClaim
}

// storageNote stands for the storage that a session manager is made with. The note is no
// part of the hash, since the hash covers all that is in the note.
func (b builder) storageNote() string {
	sum := sha256.Sum256([]byte(b.in.storage(b.cluster) + "\n" + claimName(b.cluster)))
	return hex.EncodeToString(sum[:8])
}

// LastStorage returns what is to be noted of the storage of the last session manager, given
// the note before. A pod of an earlier release carries no note; its storage is known only
// if the pod is up to date.
func LastStorage(pod *podstate.Pod, wanted *Objects, noted string) string {
	switch {
	case pod == nil:
		return noted
	case pod.Storage == "" && pod.Hash == wanted.SessionManager.Annotations[flamev1alpha1.AnnotationTemplateHash]:
		return wanted.SessionManager.Annotations[flamev1alpha1.AnnotationStorage]
	case pod.Storage == "":
		return noted
	}
	return pod.Storage
}

// Following returns the session manager's pod that follows one with the storage that was
// noted. Nothing noted is no reason to have executor managers replaced.
func (o *Objects) Following(noted string) *corev1.Pod {
	pod := o.SessionManager.DeepCopy()
	if noted != "" && noted != pod.Annotations[flamev1alpha1.AnnotationStorage] {
		pod.Annotations[flamev1alpha1.AnnotationForgets] = "true"
	}
	return pod
}

// Claims returns the claims that a cluster uses, whether or not they exist and the rest of
// the spec can run.
func Claims(cluster *flamev1alpha1.FlameCluster) []storage.Wanted {
	var claims []storage.Wanted
	if name := claimName(cluster); name != "" {
		claim := storage.Wanted{
			Name: name, Component: flamev1alpha1.ComponentSessionManager,
			Field: storage.FieldExisting, Template: cluster.Spec.SessionManager.Storage.VolumeClaimTemplate,
		}
		if claim.Template != nil {
			claim.Field = storage.FieldTemplate
		}
		claims = append(claims, claim)
	}
	if cache := cluster.Spec.ObjectCache; cache != nil && cache.Storage.VolumeClaimTemplate != nil {
		for ordinal := range ptr.Deref(cache.Replicas, 1) {
			claims = append(claims, storage.Wanted{
				Name: fmt.Sprintf("%s-%s-%d", objectsVolume, naming.ObjectCache(cluster.Name), ordinal), Component: flamev1alpha1.ComponentObjectCache,
				Field: storage.FieldCacheTemplate, Template: cache.Storage.VolumeClaimTemplate,
			})
		}
	}
	return claims
}

// OutlivesPod reports whether a session manager remembers its sessions when its pod is
// made anew. A URI counts as storage that outlives the pod, since its target is not known
// here and may well do so.
func OutlivesPod(kept flamev1alpha1.SessionManagerStorage) bool {
	if kept.URISecretRef != nil {
		return true
	}
	return kept.Type != flamev1alpha1.StorageNone && (kept.VolumeClaimTemplate != nil || kept.ExistingClaim != "")
}

// StateSince returns the time at which a session manager began with no memory: the
// creation of its pod, or the start of its process if it stores nothing. The time is zero
// if the storage outlives the pod, and is that of the session manager before it.
func StateSince(kept flamev1alpha1.SessionManagerStorage, pod podstate.Pod) time.Time {
	switch {
	case OutlivesPod(kept) && !pod.Forgets:
		return time.Time{}
	case kept.Type == flamev1alpha1.StorageNone:
		return pod.StartedAt
	default:
		return pod.CreatedAt
	}
}
