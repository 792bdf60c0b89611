// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/apply"
	"github.com/xflops/flame-operator/internal/nodes"
	"github.com/xflops/flame-operator/internal/pods"
	"github.com/xflops/flame-operator/internal/rollout"
)

// memory is what is remembered of one cluster from pass to pass. Only the cluster's
// passes use its memory, and they run one at a time.
type memory struct {
	uid types.UID
	// applier and pods know what they did to the cluster's objects and pods.
	applier *apply.Applier
	pods    *pods.Control
	// absences holds what is remembered of nodes that Flame knows and no pod has.
	absences nodes.Absences
	// kept is the name of the ControllerRevision that holds the last valid spec.
	kept string
	// leaving is how the session manager that was seen last leaves.
	leaving rollout.Leaving
	// inquiries are the last looks at the events of pods, by component.
	inquiries map[string]inquiry
	// waits are what was said last of claims that wait for their volumes, by name.
	waits map[string]wait
}

// memories holds the memory of each cluster, by name. A cluster that was deleted and made
// again under the same name gets a new memory.
type memories struct{ all sync.Map }

// of returns the memory of a cluster, and makes it with begin if there is none.
func (m *memories) of(cluster *flamev1alpha1.FlameCluster, begin func(*flamev1alpha1.FlameCluster) *memory) *memory {
	name := client.ObjectKeyFromObject(cluster)
	if found, ok := m.all.Load(name); ok && found.(*memory).uid == cluster.UID {
		return found.(*memory)
	}
	made := begin(cluster)
	m.all.Store(name, made)
	return made
}

// forget drops the memory of a cluster that is gone.
func (m *memories) forget(name types.NamespacedName) { m.all.Delete(name) }
