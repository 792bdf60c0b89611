// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package upgradeable tells the Operator Lifecycle Manager when the operator had
// better not be replaced.
//
// That is only so while a session manager is being replaced: between its
// withdrawal and its successor a cluster waits for the operator's next step.
// Everything else survives an operator's restart.
package upgradeable

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	operatorsv2 "github.com/operator-framework/api/pkg/operators/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Reasons of the condition.
const (
	reasonReplacing = "ReplacingSessionManager"
	reasonReady     = "NothingUnderWay"
)

const (
	// settle is the time that the first passes get before the condition is
	// written at all: what an operator before this one began may still go on.
	settle = 5 * time.Second
	// retry is the time between two tries to write the condition.
	retry = 15 * time.Second
)

// Gate keeps the condition Upgradeable of an OperatorCondition. A nil Gate is one
// that nobody asks.
type Gate struct {
	reader    client.Reader
	writer    client.Writer
	condition types.NamespacedName
	log       logr.Logger

	settle, retry time.Duration

	changed chan struct{}
	mu      sync.Mutex
	// replacing holds the clusters whose session manager is being replaced.
	replacing map[types.UID]struct{}
}

// New returns a gate that keeps the condition of the given OperatorCondition. The
// reader must not be a cache: the operator may get the object, but not watch it.
func New(reader client.Reader, writer client.Writer, condition types.NamespacedName, log logr.Logger) *Gate {
	return &Gate{
		reader: reader, writer: writer, condition: condition, log: log,
		settle: settle, retry: retry,
		changed: make(chan struct{}, 1), replacing: map[types.UID]struct{}{},
	}
}

// Set notes whether the session manager of a cluster is being replaced.
func (g *Gate) Set(cluster types.UID, replacing bool) {
	if g == nil {
		return
	}
	g.mu.Lock()
	before := len(g.replacing)
	if replacing {
		g.replacing[cluster] = struct{}{}
	} else {
		delete(g.replacing, cluster)
	}
	after := len(g.replacing)
	g.mu.Unlock()
	if (before == 0) == (after == 0) {
		return
	}
	select {
	case g.changed <- struct{}{}:
	default: // It is to be written already.
	}
}

// NeedLeaderElection has only the manager that acts write the condition.
func (*Gate) NeedLeaderElection() bool { return true }

// Start writes the condition whenever it changes, until the context ends.
func (g *Gate) Start(ctx context.Context) error {
	again := time.NewTimer(g.settle)
	defer again.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-g.changed:
		case <-again.C:
		}
		err := g.write(ctx)
		if err != nil {
			again.Reset(g.retry)
			if !failing && ctx.Err() == nil {
				g.tell(err)
			}
		}
		failing = err != nil
	}
}

// tell says once that the condition is not there or not writable. Nothing else
// depends on it.
func (g *Gate) tell(err error) {
	if apierrors.IsNotFound(err) || apimeta.IsNoMatchError(err) || apierrors.IsForbidden(err) {
		g.log.Info("no OperatorCondition to keep; looking for it again and again", "reason", err.Error())
		return
	}
	g.log.Error(err, "the OperatorCondition is not up to date; trying again")
}

// write brings the condition to what it should be.
func (g *Gate) write(ctx context.Context) error {
	object := &operatorsv2.OperatorCondition{}
	if err := g.reader.Get(ctx, g.condition, object); err != nil {
		return fmt.Errorf("get OperatorCondition %q: %w", g.condition.Name, err)
	}
	if !apimeta.SetStatusCondition(&object.Spec.Conditions, g.wanted()) {
		return nil
	}
	// An update, not a patch: OLM writes the same object.
	if err := g.writer.Update(ctx, object); err != nil {
		return fmt.Errorf("update OperatorCondition %q: %w", g.condition.Name, err)
	}
	return nil
}

func (g *Gate) wanted() metav1.Condition {
	g.mu.Lock()
	defer g.mu.Unlock()
	if count := len(g.replacing); count > 0 {
		return metav1.Condition{
			Type: operatorsv2.Upgradeable, Status: metav1.ConditionFalse, Reason: reasonReplacing,
			Message: "a session manager is being replaced",
		}
	}
	return metav1.Condition{
		Type: operatorsv2.Upgradeable, Status: metav1.ConditionTrue, Reason: reasonReady,
		Message: "no session manager is being replaced",
	}
}
