// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package desired turns a FlameCluster into the objects that it consists of.
//
// The package is pure: values in, values out. Facts about the world (whether this is
// OpenShift, what a Secret holds) are arguments. Objects that are applied are built as
// apply configurations, which hold the operator's intent and nothing else; pods, which
// are created and never changed, are built as pods.
//
// The one hard idea is the hash of a component. The hash covers what the user asked for
// and what the component reads of the configuration, not what this package makes of it: a
// new operator that renders a pod differently restarts nothing.
package desired

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flameconf"
	"github.com/xflops/flame-operator/internal/naming"
)

// Inputs is what the objects of a cluster depend on besides its spec.
type Inputs struct {
	// OpenShift is true where security context constraints assign user IDs, so
	// that pods must not ask for one.
	OpenShift bool
	// StorageURI is the content of the Secret that the spec names as
	// uriSecretRef, and empty without one.
	StorageURI string
	// TasksRun says that a task runs, or ran when Flame last answered.
	TasksRun bool
	// Tolerated are problems that are not held against the spec, since it ran before they
	// were known as problems.
	Tolerated []string
}

// Objects is what a cluster consists of; its configurations stand in the order in which
// they are applied. A nil is an object that this spec does not want.
type Objects struct {
	LastValid             *appsv1ac.ControllerRevisionApplyConfiguration
	ServiceAccount        *corev1ac.ServiceAccountApplyConfiguration
	Config                *corev1ac.ConfigMapApplyConfiguration
	SecretConfig          *corev1ac.SecretApplyConfiguration
	SessionManagerClaim   *corev1.PersistentVolumeClaim
	SessionManagerService *corev1ac.ServiceApplyConfiguration
	SessionManagerBudget  *policyv1ac.PodDisruptionBudgetApplyConfiguration
	ObjectCacheService    *corev1ac.ServiceApplyConfiguration
	ObjectCache           *appsv1ac.StatefulSetApplyConfiguration

	// SessionManager and ExecutorManager are the pods to create; executor
	// manager pods get their names when they are created.
	SessionManager  *corev1.Pod
	ExecutorManager *corev1.Pod
	// Gang says that the version of Flame serves sessions in whole batches.
	Gang bool
	// ObjectCacheHash is the hash that pods of an up-to-date object cache carry.
	ObjectCacheHash string
}

// Build returns the objects of a cluster. The error is an *InvalidSpecError if the spec
// asks for something that cannot run.
func Build(cluster *flamev1alpha1.FlameCluster, in Inputs) (*Objects, error) {
	version, err := validate(cluster, in.Tolerated)
	if err != nil {
		return nil, err
	}
	b := builder{cluster: cluster, in: in, version: version, server: flameconf.ForServers(cluster, version, in.storage(cluster))}
	return b.build()
}

func (in Inputs) storage(cluster *flamev1alpha1.FlameCluster) string {
	if in.StorageURI != "" {
		return in.StorageURI
	}
	return flameconf.StorageURI(cluster.Spec.SessionManager.Storage.Type)
}

// builder holds what the builders of single objects share.
type builder struct {
	cluster *flamev1alpha1.FlameCluster
	in      Inputs
	version flameconf.Version
	server  flameconf.Server
}

func (b builder) build() (*Objects, error) {
	objects := &Objects{
		Gang:                  b.version.Gang(),
		ServiceAccount:        b.serviceAccount(),
		SessionManagerClaim:   b.sessionManagerClaim(),
		SessionManagerService: b.sessionManagerService(),
		SessionManagerBudget:  b.disruptionBudget(),
		ObjectCacheService:    b.objectCacheService(),
	}
	var err error
	if objects.LastValid, err = b.lastValid(); err != nil {
		return nil, err
	}
	if objects.Config, objects.SecretConfig, err = b.config(); err != nil {
		return nil, err
	}
	if objects.SessionManager, err = b.sessionManagerPod(); err != nil {
		return nil, err
	}
	if objects.ExecutorManager, err = b.executorManagerPod(); err != nil {
		return nil, err
	}
	if objects.ObjectCache, objects.ObjectCacheHash, err = b.objectCache(); err != nil {
		return nil, err
	}
	return objects, nil
}

// owner returns the owner reference for the objects that go with the cluster.
func (b builder) owner() *metav1ac.OwnerReferenceApplyConfiguration {
	reference := Owner(b.cluster)
	return metav1ac.OwnerReference().
		WithAPIVersion(reference.APIVersion).WithKind(reference.Kind).
		WithName(reference.Name).WithUID(reference.UID).
		WithController(true)
}

// Owner returns the controller reference to a cluster. The reference does not block the
// owner's deletion: blocking needs a right of its own, and for half a minute after the
// CRD was installed an API server that asks for that right (OpenShift's does) refuses
// every object.
func Owner(cluster *flamev1alpha1.FlameCluster) metav1.OwnerReference {
	reference := metav1.NewControllerRef(cluster, flamev1alpha1.GroupVersion.WithKind("FlameCluster"))
	reference.BlockOwnerDeletion = nil
	return *reference
}

func (b builder) serviceAccount() *corev1ac.ServiceAccountApplyConfiguration {
	if b.cluster.Spec.ServiceAccountName != "" {
		return nil
	}
	return corev1ac.ServiceAccount(b.serviceAccountName(), b.cluster.Namespace).
		WithLabels(naming.Labels(b.cluster.Name, "")).
		WithOwnerReferences(b.owner()).
		WithAutomountServiceAccountToken(false)
}
