// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/xflops/flame-operator/internal/flame/flametest"
)

// harm is what happens at a write.
type harm string

const (
	none harm = "no harm"
	// killed operators do not live to see the answer, and do nothing more.
	killed harm = "killed after"
	// failed writes do nothing, as the operator is told.
	failed harm = "failed"
	// unanswered writes are done, and the operator is told of a failure.
	unanswered harm = "no answer to"
)

// disturbance says which writes come to harm: number first, from 1, and if there
// is an interval also each that comes so many later, up to the last.
type disturbance struct {
	harm                  harm
	first, interval, last int
}

func (d disturbance) hits(write int) bool {
	later := write - d.first
	return later == 0 || d.interval > 0 && later > 0 && later%d.interval == 0 && write <= d.last
}

// writes counts what an operator changes, in the Kubernetes API and in Flame,
// and disturbs them.
type writes struct {
	mu   sync.Mutex
	list []string
	// counts says that writes are counted from now on.
	counts      bool
	disturbance disturbance
	// dead says that the operator was killed.
	dead bool
}

var errDead = errors.New("the operator is dead")

// do carries a write out, unless it is to fail. The failure is what the operator
// is told of one that does, or seems to.
func (w *writes) do(what string, failure error, send func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return errDead
	}
	if !w.counts {
		return send()
	}
	w.list = append(w.list, what)
	if !w.disturbance.hits(len(w.list)) {
		return send()
	}
	switch w.disturbance.harm {
	case failed:
		return failure
	case unanswered:
		return errors.Join(failure, ignore(send()))
	case killed:
		w.dead = true
		return errors.Join(errDead, ignore(send()))
	case none:
	}
	return send()
}

// ignore drops what nobody is told.
func ignore(error) error { return nil }

// reset revives the operator as a new one, and reports whether it was dead.
func (w *writes) reset() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	dead := w.dead
	w.dead = false
	return dead
}

func (w *writes) number() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.list)
}

// toKubernetes is a write to the API server. One that is refused may be repeated,
// one without an answer may have been done.
func (w *writes) toKubernetes(what string, send func() error) error {
	failure := error(apierrors.NewInternalError(errors.New("injected")))
	if w.disturbance.harm == unanswered {
		failure = fmt.Errorf("injected: %w", io.ErrUnexpectedEOF)
	}
	return w.do(anonymous(what), failure, send)
}

// toFlame is a call of a session manager's backend.
func (w *writes) toFlame(call flametest.Call, effect func() error) error {
	err := w.do(anonymous(call.Verb+" "+call.Name), grpcstatus.Error(codes.Unavailable, "injected"), effect)
	if errors.Is(err, errDead) {
		return grpcstatus.FromContextError(context.Canceled).Err()
	}
	return err
}

var randomName = regexp.MustCompile(`(executor-manager-)[a-z0-9]{5}\b`)

// anonymous leaves out the random part of names.
func anonymous(text string) string { return randomName.ReplaceAllString(text, "${1}x") }

func (w *writes) String() string { return "\n\t" + strings.Join(w.list, "\n\t") }
