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

// RefusedError says that the API server understood a write and does not carry it out, by
// its own rules or by those of a quota, a policy or a webhook. The same write may succeed
// later, since all of these can change, whatever the code of the answer.
type RefusedError struct {
	// Doing is what the operator tried to do, such as: create Pod "c-session-manager".
	Doing string
	// By names the refuser, such as: the ResourceQuota "few".
	By string
	// Why is the refuser's message, without what differs from try to try.
	Why string
}

// Error is a sentence for the user.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s: %s refuses it: %s", e.Doing, e.By, e.Why)
}

// ByQuota reports whether a ResourceQuota refuses.
func (e *RefusedError) ByQuota() bool { return strings.HasPrefix(e.By, "the ResourceQuota ") }

// Refused returns the refusal that an error of a write contains, and nil if it contains
// none. A right that the operator lacks is no refusal, since no change to the object
// would help.
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

// refusers are the patterns of answers that name a refuser. The first group of each is
// the refuser's name, the second its message. Webhooks and policies choose the code of
// the answer themselves.
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

// MissingRightError says that the operator lacks a right that it needs.
type MissingRightError struct {
	// Doing is what the operator tried to do.
	Doing string
	// Verb and Resource are the missing right, and Where is the scope in which it is
	// missing, such as: in the namespace "a".
	Verb, Resource, Where string
}

// Error is a sentence for the person who installs the operator.
func (e *MissingRightError) Error() string {
	return fmt.Sprintf("%s: the operator lacks the right to %s %s %s: give its ServiceAccount back the role that it was installed with",
		e.Doing, e.Verb, e.Resource, e.Where)
}

var missingRight = regexp.MustCompile(`User "[^"]*" cannot (\S+) resource "([^"]+)" in API group "([^"]*)" (in the namespace "[^"]*"|at the cluster scope)`)

// MissingRight returns the right that the operator lacks according to an error, and nil
// if the error is about something else.
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

// Gone reports whether the answer to a write says that the very object that was looked at
// is gone. A webhook that denies a write may choose the same codes, so a refusal does not
// count.
func Gone(err error) bool {
	return (apierrors.IsNotFound(err) || apierrors.IsConflict(err)) && Refused(err) == nil
}

// DidNothing reports whether an error is the API server's word that it did nothing. A
// write whose connection broke, in contrast, may have been carried out.
func DidNothing(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code >= http.StatusBadRequest && code < http.StatusInternalServerError || Refused(err) != nil
}

// longestWhy is how much of a refuser's message is kept, in bytes.
const longestWhy = 512

var (
	// ownAddress matches the caller's address, whose port differs from call to call.
	ownAddress = regexp.MustCompile(`\S+:\d+->`)
	spaces     = regexp.MustCompile(`\s+`)
)

// steady removes from a text what differs from try to try, because the text is written
// into a status, and cuts it to longestWhy.
func steady(why string) string {
	why = strings.TrimSpace(spaces.ReplaceAllString(ownAddress.ReplaceAllString(why, ""), " "))
	if why == "" {
		return "without a reason"
	}
	return words.Cut(why, longestWhy)
}
