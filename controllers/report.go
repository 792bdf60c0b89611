// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/xflops/flame-operator/internal/apply"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/status"
)

// The delays for what does not wake the operator by itself.
const (
	// missingReferenceDelay is the time between two looks for a Secret that the spec names.
	missingReferenceDelay = 30 * time.Second
	// secretDelay is the time between two looks at a Secret that is in use:
	// Secrets are never watched.
	secretDelay = time.Minute
	// refusedDelay is the time between two tries of a refused write. A quota, a policy or
	// a webhook that has changed its mind does not tell the operator.
	refusedDelay = 20 * time.Second
)

// report is the outcome of a step of a pass: what users have to change or to add, and
// when to look again.
type report struct {
	// invalid says what is wrong with the spec. missing says which object that the spec
	// needs does not exist or belongs to somebody else.
	invalid, missing error
	// obstacles are the calls that did not succeed, in the order of the tries.
	obstacles []status.Obstacle
	// failed joins the errors for which the pass is repeated at once.
	failed error
	// requeueAfter is the time until the next look, and zero if only a change makes a
	// difference.
	requeueAfter time.Duration
}

// after asks for another look after d, or earlier.
func after(d time.Duration) report { return report{requeueAfter: max(0, d)} }

// join adds the reports of later steps. Only the first invalid and the first missing count.
func (r report) join(later ...report) report {
	for _, next := range later {
		if r.invalid == nil {
			r.invalid = next.invalid
		}
		if r.missing == nil {
			r.missing = next.missing
		}
		r.obstacles = append(r.obstacles, next.obstacles...)
		r.failed = errors.Join(r.failed, next.failed)
		if next.requeueAfter > 0 && (r.requeueAfter == 0 || next.requeueAfter < r.requeueAfter) {
			r.requeueAfter = next.requeueAfter
		}
	}
	return r
}

// everything stands for all components where a component is named.
const everything = ""

// classify sets apart the errors that an immediate retry does not cure: an invalid spec,
// a refusal, and objects that belong to others. A namespace that is being deleted takes
// the cluster with it, so nothing is left to do. Any other error is a call that failed. A
// refusal and a failed call are noted with the component that they are about.
func classify(component string, err error) report {
	var invalid *desired.InvalidSpecError
	var notOwned *apply.NotOwnedError
	refused := apply.Refused(err)
	switch {
	case err == nil, apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return report{}
	case errors.As(err, &invalid):
		return report{invalid: invalid}
	case errors.As(err, &notOwned):
		return waitFor(notOwned)
	case refused != nil:
		return report{obstacles: []status.Obstacle{{Component: component, Refused: true, Err: refused}}, requeueAfter: refusedDelay}
	}
	told := err
	if missing := apply.MissingRight(err); missing != nil {
		told = missing
	}
	return report{obstacles: []status.Obstacle{{Component: component, Err: told}}, failed: err}
}

// waitFor reports an object that is not there yet.
func waitFor(missing error) report {
	return report{missing: missing, requeueAfter: missingReferenceDelay}
}
