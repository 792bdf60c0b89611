// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/xflops/flame-operator/internal/apply"
	"github.com/xflops/flame-operator/internal/nodes"
	"github.com/xflops/flame-operator/internal/rollout"
)

// memory is what is remembered of one cluster from pass to pass. Only its passes use
// it, of which there is one at a time.
type memory struct {
	uid types.UID
	// applier and pods know what they did to the cluster's objects and pods.
	applier *apply.Applier
	pods    *apply.Pods
	// absences are those of the nodes that Flame knows and no pod has.
	absences nodes.Absences
	// leaving is how the session manager leaves that was seen last.
	leaving rollout.Leaving
}

// memories are those of all clusters, by name. The memory of a cluster that was deleted
// and made again under its name is not that of the new one.
type memories struct {
	mu  sync.Mutex
	all map[types.NamespacedName]*memory
}

// of returns the memory of a cluster, which begins with begin.
func (m *memories) of(name types.NamespacedName, uid types.UID, begin func() *memory) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := m.all[name]
	if found == nil || found.uid != uid {
		if m.all == nil {
			m.all = map[types.NamespacedName]*memory{}
		}
		found = begin()
		found.uid = uid
		m.all[name] = found
	}
	return found
}

// forget drops the memory of a cluster that is gone.
func (m *memories) forget(name types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, name)
}
