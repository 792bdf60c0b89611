// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/xflops/flame-operator/internal/words"
)

// RefusedError says that the API server understood a write and does not do it, by its
// own rules or by those of somebody whom it asks: a quota, a policy, a webhook. It may
// do it later, since all of them can change, whatever the code of the answer.
type RefusedError struct {
	// Doing is what was to be done, such as: create Pod "c-session-manager".
	Doing string
	// By is who refuses, such as: the ResourceQuota "few".
	By string
	// Why is what they say, without what differs from try to try.
	Why string
}

// Error is a sentence for the user.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s: %s refuses it: %s", e.Doing, e.By, e.Why)
}

// Refused returns what an error of a write says if it is a refusal, and nil otherwise.
// A right that the operator lacks is none: nothing about the object would help.
func Refused(err error) *RefusedError {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || MissingRight(err) != nil {
		return nil
	}
	answer := status.Status()
	doing := strings.TrimSuffix(strings.TrimSuffix(err.Error(), answer.Message), ": ")
	for _, who := range refusers {
		if parts := who.says.FindStringSubmatch(answer.Message); parts != nil {
			return &RefusedError{Doing: doing, By: fmt.Sprintf(who.by, parts[1]), Why: steady(parts[2])}
		}
	}
	switch answer.Code {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return &RefusedError{Doing: doing, By: "the API server", Why: steady(answer.Message)}
	}
	return nil
}

// refusers are those whom the API server names in its answer, with what they say as
// the second part. Webhooks and policies choose the code of the answer themselves.
var refusers = []struct {
	says *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`(?s)admission webhook "([^"]+)" (?:denied the request:? ?)?(.*)`), "the admission webhook %q"},
	{regexp.MustCompile(`(?s)failed calling webhook "([^"]+)": (.*)`), "the admission webhook %q"},
	{regexp.MustCompile(`(?s)ValidatingAdmissionPolicy '([^']+)'.*? denied request: (.*)`), "the ValidatingAdmissionPolicy %q"},
	{regexp.MustCompile(`(?s)policy ['"]([^'"]+)['"].*? denied request: (.*)`), "the admission policy %q"},
	{regexp.MustCompile(`(?s)(?:exceeded|failed) quota: ([^,:]+)[,:] (.*)`), "the ResourceQuota %q"},
	{regexp.MustCompile(`(?s)violates PodSecurity "([^"]+)": (.*)`), "Pod Security %q"},
}

// MissingRightError says that the operator may not do what it has to.
type MissingRightError struct {
	// Doing is what was to be done.
	Doing string
	// Verb and Resource are the missing right, Where is where it is missing, such as:
	// in the namespace "a".
	Verb, Resource, Where string
}

// Error is a sentence for who installs the operator.
func (e *MissingRightError) Error() string {
	return fmt.Sprintf("%s: the operator lacks the right to %s %s %s: give its ServiceAccount back the role that it was installed with",
		e.Doing, e.Verb, e.Resource, e.Where)
}

var missingRight = regexp.MustCompile(`User "[^"]*" cannot (\S+) resource "([^"]+)" in API group "([^"]*)" (in the namespace "[^"]*"|at the cluster scope)`)

// MissingRight returns what an error says of a right that the operator lacks, and nil
// if it is about something else.
func MissingRight(err error) *MissingRightError {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Code != http.StatusForbidden {
		return nil
	}
	message := status.Status().Message
	parts := missingRight.FindStringSubmatch(message)
	if parts == nil {
		return nil
	}
	resource := parts[2]
	if parts[3] != "" {
		resource += "." + parts[3]
	}
	doing := strings.TrimSuffix(strings.TrimSuffix(err.Error(), message), ": ")
	return &MissingRightError{Doing: doing, Verb: parts[1], Resource: resource, Where: parts[4]}
}

// Gone reports whether the answer to a write says that its object is gone, the very one
// that was looked at. A webhook that denies it may choose the same codes.
func Gone(err error) bool {
	return (apierrors.IsNotFound(err) || apierrors.IsConflict(err)) && Refused(err) == nil
}

// DidNothing reports whether an error is the API server's word that it did nothing. What
// was asked before a connection broke may have been done.
func DidNothing(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code >= http.StatusBadRequest && code < http.StatusInternalServerError || Refused(err) != nil
}

// longestWhy is how much of what somebody else says is told, in bytes.
const longestWhy = 512

var (
	// ownAddress is the caller's, with a port that is another one each time.
	ownAddress = regexp.MustCompile(`\S+:\d+->`)
	spaces     = regexp.MustCompile(`\s+`)
)

// steady takes out of a text what differs from try to try, since it is written into
// a status, and cuts it.
func steady(why string) string {
	why = strings.TrimSpace(spaces.ReplaceAllString(ownAddress.ReplaceAllString(why, ""), " "))
	if why == "" {
		return "without a reason"
	}
	return words.Cut(why, longestWhy)
}
