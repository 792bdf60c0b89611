// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// ObjectCacheSpec describes the object cache.
// +kubebuilder:validation:XValidation:rule="has(oldSelf.storage.volumeClaimTemplate) == has(self.storage.volumeClaimTemplate) && (!has(self.storage.volumeClaimTemplate) || self.storage.volumeClaimTemplate == oldSelf.storage.volumeClaimTemplate)",fieldPath=".storage.volumeClaimTemplate",message="volumeClaimTemplate cannot be changed: remove objectCache, wait until its pods are gone, and add it again"
type ObjectCacheSpec struct {
	// image is the image of the object cache, such as
	// docker.io/xflops/flame-object-cache:v0.6.0.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	Image string `json:"image"`

	// replicas is the number of object caches. The supported versions of Flame find
	// an object only on the cache that took it, so more than 1 is warned of in
	// ObjectCacheReady. Defaults to 1.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`

	// resources are the requests and limits of the object cache's container. It
	// loads all that it has stored into memory when it starts. Defaults to none.
	// +optional
	Resources corev1.ResourceRequirements `json:"resources,omitempty,omitzero"`

	PodSettings `json:",inline"`

	// networkInterface is the network interface in the pod whose IPv4 address
	// the cache listens on and tells clients. Defaults to eth0.
	// +kubebuilder:default=eth0
	// +kubebuilder:validation:Pattern=`^[a-zA-Z0-9][a-zA-Z0-9._-]*$`
	// +kubebuilder:validation:MaxLength=15
	// +optional
	NetworkInterface string `json:"networkInterface,omitempty"`

	// storage says where objects are kept. Defaults to a volume that lives as
	// long as the pod.
	// +kubebuilder:default={}
	// +optional
	Storage ObjectCacheStorage `json:"storage,omitempty,omitzero"`

	// eviction says when objects leave the memory of the cache.
	// +kubebuilder:default={}
	// +optional
	Eviction ObjectCacheEviction `json:"eviction,omitempty,omitzero"`
}

// ObjectCacheStorage says where objects are kept.
// +kubebuilder:validation:XValidation:rule="!(has(self.volumeClaimTemplate) && has(self.sizeLimit))",message="volumeClaimTemplate and sizeLimit exclude each other: sizeLimit is for the volume that lives as long as the pod"
type ObjectCacheStorage struct {
	// volumeClaimTemplate is the claim that is made for each replica. By default
	// there is none, and objects live as long as the pod.
	// +optional
	VolumeClaimTemplate *corev1.PersistentVolumeClaimSpec `json:"volumeClaimTemplate,omitempty"`

	// sizeLimit is the size of the volume when there is no volumeClaimTemplate;
	// a pod that writes more is evicted. Defaults to no limit.
	// +optional
	SizeLimit *resource.Quantity `json:"sizeLimit,omitempty"`

	// whenDeleted says what becomes of the claims when the cluster or the cache
	// is deleted: Retain or Delete. Defaults to Retain.
	// +kubebuilder:default=Retain
	// +optional
	WhenDeleted WhenDeleted `json:"whenDeleted,omitempty"`
}

// EvictionPolicy is the way in which the object cache chooses what leaves its memory.
// +kubebuilder:validation:Enum=lru;none
type EvictionPolicy string

// The values of EvictionPolicy.
const (
	// EvictionLRU lets the objects go that were not used for the longest time.
	EvictionLRU EvictionPolicy = "lru"
	// EvictionNone lets nothing go.
	EvictionNone EvictionPolicy = "none"
)

// ObjectCacheEviction says when objects leave the memory of the cache.
type ObjectCacheEviction struct {
	// policy is the way in which objects are chosen: lru or none. Defaults to lru.
	// +kubebuilder:default=lru
	// +optional
	Policy EvictionPolicy `json:"policy,omitempty"`

	// maxMemory is the memory that objects may take, below the memory limit of
	// the container. Defaults to three quarters of that limit, or 1Gi without one.
	// +optional
	MaxMemory *resource.Quantity `json:"maxMemory,omitempty"`

	// maxObjects is the number of objects in memory. Defaults to no limit.
	// +kubebuilder:validation:Minimum=1
	// +optional
	MaxObjects *int64 `json:"maxObjects,omitempty"`
}
