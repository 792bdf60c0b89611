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

// How long to wait for what nothing wakes us for.
const (
	// missingReferenceDelay is the time between two looks for a Secret that the spec names.
	missingReferenceDelay = 30 * time.Second
	// secretDelay is the time between two looks at a Secret that is in use:
	// Secrets are never watched.
	secretDelay = time.Minute
	// refusedDelay is the time between two tries of what was refused. A quota, a policy
	// or a webhook that lets it pass wakes nobody.
	refusedDelay = 20 * time.Second
)

// report is what a step of a pass has to tell: what users have to change or to add, and
// when to look again.
type report struct {
	// invalid says what is wrong with the spec, missing which object that it needs is
	// not there or is somebody else's.
	invalid, missing error
	// obstacles are the calls that did not succeed, in the order of the tries.
	obstacles []status.Obstacle
	// failed are those of them for which the pass is repeated at once.
	failed error
	// requeueAfter is when to look again; zero if only a change makes a difference.
	requeueAfter time.Duration
}

// after asks for another look after d, or earlier.
func after(d time.Duration) report { return report{requeueAfter: max(0, d)} }

// join adds what later steps have to tell. Of what cannot be told together the first
// counts.
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

// everything stands for all components where one is named.
const everything = ""

// classify puts aside what trying again at once does not help: an invalid spec, what is
// refused, and objects that belong to others. A namespace that is going takes the
// cluster with it, so nothing is left to do. What is left is a call that failed. Of
// each it is noted which component it is about.
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
	default:
		return report{obstacles: []status.Obstacle{{Component: component, Err: explained(err)}}, failed: err}
	}
}

// waitFor reports an object that is not there yet.
func waitFor(missing error) report {
	return report{missing: missing, requeueAfter: missingReferenceDelay}
}

// explained returns what a user is told of a call that failed.
func explained(err error) error {
	if missing := apply.MissingRight(err); missing != nil {
		return missing
	}
	return err
}
