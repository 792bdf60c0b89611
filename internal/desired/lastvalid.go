// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
)

// lastValid returns the ControllerRevision that keeps the spec, so that what runs can be
// looked after while an edit is invalid. The name tells the spec, because the content of a
// ControllerRevision cannot be changed. Neither a ConfigMap nor the status would do: the
// variables of a spec may hold keys, and many tools print and copy those two.
func (b builder) lastValid() (*appsv1ac.ControllerRevisionApplyConfiguration, error) {
	spec, err := json.Marshal(b.cluster.Spec)
	if err != nil {
		return nil, fmt.Errorf("write down the spec of FlameCluster %q: %w", b.cluster.Name, err)
	}
	hash := sha256.Sum256(spec)
	return appsv1ac.ControllerRevision(naming.LastValid(b.cluster.Name, hex.EncodeToString(hash[:5])), b.cluster.Namespace).
		WithLabels(naming.Labels(b.cluster.Name, "")).
		WithOwnerReferences(b.owner()).
		WithData(runtime.RawExtension{Raw: spec}).
		WithRevision(b.cluster.Generation), nil
}

// LastValid returns the cluster with the spec that the newest of the revisions keeps, and
// nil if none of them is the cluster's.
func LastValid(cluster *flamev1alpha1.FlameCluster, revisions []appsv1.ControllerRevision) *flamev1alpha1.FlameCluster {
	var newest *appsv1.ControllerRevision
	for i := range revisions {
		if metav1.IsControlledBy(&revisions[i], cluster) && (newest == nil || revisions[i].Revision > newest.Revision) {
			newest = &revisions[i]
		}
	}
	if newest == nil {
		return nil
	}
	last := cluster.DeepCopy()
	last.Spec = flamev1alpha1.FlameClusterSpec{}
	if json.Unmarshal(newest.Data.Raw, &last.Spec) != nil {
		return nil // Not of the operator's making.
	}
	return last
}

// Choice is the spec that is carried out.
type Choice struct {
	Cluster *flamev1alpha1.FlameCluster
	// StandsIn says that the last valid spec stands in for an edit that is invalid.
	StandsIn bool
	// Tolerated are the problems that are not held against the spec.
	Tolerated []string
}

// Choose decides what is carried out where an edit is invalid by itself, and returns false
// if nothing can be. An edit whose problems the last valid spec has as well is carried out,
// unless the edit cannot even be read: what a new operator refuses, it refuses to new
// clusters and to edits of that field.
func Choose(last, edit *flamev1alpha1.FlameCluster, readable bool) (Choice, bool) {
	tolerated := Problems(last, Inputs{})
	if readable && runs(edit, tolerated) {
		return Choice{Cluster: edit, Tolerated: Problems(edit, Inputs{})}, true
	}
	for _, standIn := range standIns(last, edit) {
		if runs(standIn, tolerated) {
			return Choice{Cluster: standIn, StandsIn: true, Tolerated: tolerated}, true
		}
	}
	return Choice{}, false
}

func runs(cluster *flamev1alpha1.FlameCluster, tolerated []string) bool {
	_, err := Build(cluster, Inputs{Tolerated: tolerated})
	return err == nil
}

// standIns returns what may run in place of an edit that is invalid, the best first. All
// are the last valid cluster with what the edit says of its suspension and of what becomes
// of its claims; the first one also has the edit's number of executor managers, or the
// bounds of autoscaling, which may be what is invalid.
func standIns(last, edit *flamev1alpha1.FlameCluster) []*flamev1alpha1.FlameCluster {
	least := last.DeepCopy()
	least.Spec.Suspend = edit.Spec.Suspend
	least.Spec.SessionManager.Storage.WhenDeleted = edit.Spec.SessionManager.Storage.WhenDeleted
	if least.Spec.ObjectCache != nil && edit.Spec.ObjectCache != nil {
		least.Spec.ObjectCache.Storage.WhenDeleted = edit.Spec.ObjectCache.Storage.WhenDeleted
	}
	scaled := least.DeepCopy()
	scaled.Spec.ExecutorManager.Replicas = edit.Spec.ExecutorManager.Replicas
	scaled.Spec.ExecutorManager.Autoscaling = edit.Spec.ExecutorManager.Autoscaling.DeepCopy()
	return []*flamev1alpha1.FlameCluster{scaled, least}
}
