// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func said(code int32, reason metav1.StatusReason, message string) error {
	return fmt.Errorf("create Pod %q: %w", "c-session-manager", &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message,
	}})
}

// TestRefusals in controllers shows what a real API server says.
func TestRefusalsSayWhoRefusesAndWhy(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a quota that is used up": {
			said(403, metav1.StatusReasonForbidden, `pods "c-session-manager" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2`),
			`the ResourceQuota "few" refuses it: requested: pods=1, used: pods=2, limited: pods=2`,
		},
		"a quota on what the pod does not ask for": {
			said(403, metav1.StatusReasonForbidden, `pods "c-session-manager" is forbidden: failed quota: few: must specify limits.cpu for: session-manager`),
			`the ResourceQuota "few" refuses it: must specify limits.cpu for: session-manager`,
		},
		"Pod Security": {
			said(403, metav1.StatusReasonForbidden, `pods "c-session-manager" is forbidden: violates PodSecurity "restricted:latest": privileged`),
			`Pod Security "restricted:latest" refuses it: privileged`,
		},
		"a ServiceAccount that is missing": {
			said(403, metav1.StatusReasonForbidden, `pods "c-session-manager" is forbidden: error looking up service account a/b: serviceaccount "b" not found`),
			`the API server refuses it: pods "c-session-manager" is forbidden: error looking up service account a/b: serviceaccount "b" not found`,
		},
		"a policy, which is a 422 by default": {
			said(422, metav1.StatusReasonInvalid, `pods "c-session-manager" is forbidden: ValidatingAdmissionPolicy 'label' with binding 'here' denied request: needs a label`),
			`the ValidatingAdmissionPolicy "label" refuses it: needs a label`,
		},
		"a mutating policy": {
			said(422, metav1.StatusReasonInvalid, `policy 'sidecar' with binding 'here' denied request: no such field`),
			`the admission policy "sidecar" refuses it: no such field`,
		},
		"a webhook that says 409": {
			said(http.StatusConflict, metav1.StatusReasonConflict, `admission webhook "a.example.com" denied the request: not today`),
			`the admission webhook "a.example.com" refuses it: not today`,
		},
		"a webhook that says 500 and no more": {
			said(http.StatusInternalServerError, metav1.StatusReasonInternalError, `admission webhook "a.example.com" denied the request without explanation`),
			`the admission webhook "a.example.com" refuses it: without explanation`,
		},
		"a webhook that knows no dry run": {
			said(400, metav1.StatusReasonBadRequest, `admission webhook "a.example.com" does not support dry run`),
			`the admission webhook "a.example.com" refuses it: does not support dry run`,
		},
		"a webhook that does not answer, from a port that is another one each time": {
			said(500, metav1.StatusReasonInternalError, `Internal error occurred: failed calling webhook "a.example.com": failed to call webhook: Post "https://a.b.svc:443/?timeout=10s": read tcp 10.0.0.1:41234->10.1.2.3:443: connection reset by peer`),
			`the admission webhook "a.example.com" refuses it: failed to call webhook: Post "https://a.b.svc:443/?timeout=10s": read tcp 10.1.2.3:443: connection reset by peer`,
		},
		"what the API server finds invalid": {
			said(422, metav1.StatusReasonInvalid, `Pod "c-session-manager" is invalid: spec.tolerations[0].operator: Unsupported value: "Sometimes"`),
			`the API server refuses it: Pod "c-session-manager" is invalid: spec.tolerations[0].operator: Unsupported value: "Sometimes"`,
		},
		"a request that it cannot read": {
			said(400, metav1.StatusReasonBadRequest, "Pod in version \"v1\" cannot be handled as a Pod:\n  quantities must match"),
			`the API server refuses it: Pod in version "v1" cannot be handled as a Pod: quantities must match`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			refused := Refused(c.err)
			require.NotNil(t, refused)
			assert.Equal(t, `create Pod "c-session-manager": `+c.want, refused.Error())
			assert.Nil(t, MissingRight(c.err))
			assert.True(t, DidNothing(c.err), "nothing was created")
		})
	}
}

func TestFailedCallsAreNoRefusals(t *testing.T) {
	for name, err := range map[string]error{
		"none":                           nil,
		"a broken connection":            errors.New("connection refused"),
		"a conflict":                     said(409, metav1.StatusReasonConflict, "the object has been modified"),
		"an object that is not there":    said(404, metav1.StatusReasonNotFound, `namespaces "a" not found`),
		"a server that has enough to do": said(429, metav1.StatusReasonTooManyRequests, "too many requests"),
		"a server that fails":            said(500, metav1.StatusReasonInternalError, "etcdserver: leader changed"),
		"a token that has expired":       said(401, metav1.StatusReasonUnauthorized, "Unauthorized"),
	} {
		t.Run(name, func(t *testing.T) {
			assert.Nil(t, Refused(err))
			assert.Nil(t, MissingRight(err))
		})
	}
}

func TestAMissingRightIsNamed(t *testing.T) {
	for name, c := range map[string]struct{ message, want string }{
		"in a namespace": {
			`pods is forbidden: User "system:serviceaccount:o:flame-operator" cannot create resource "pods" in API group "" in the namespace "a"`,
			`the operator lacks the right to create pods in the namespace "a"`,
		},
		"of a group": {
			`statefulsets.apps "x" is forbidden: User "u" cannot patch resource "statefulsets" in API group "apps" at the cluster scope`,
			`the operator lacks the right to patch statefulsets.apps at the cluster scope`,
		},
		"that OpenShift asks for": {
			`configmaps "x" is forbidden: cannot set an ownerRef on a resource you can't delete: User "u" cannot delete resource "configmaps" in API group "" in the namespace "a", <nil>`,
			`the operator lacks the right to delete configmaps in the namespace "a"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := said(403, metav1.StatusReasonForbidden, c.message)
			missing := MissingRight(err)
			require.NotNil(t, missing)
			assert.Equal(t, `create Pod "c-session-manager": `+c.want+": give its ServiceAccount back the role that it was installed with", missing.Error())
			assert.Nil(t, Refused(err), "nothing about the object would help")
		})
	}
}

func TestWhatOthersSayIsBounded(t *testing.T) {
	refused := Refused(said(422, metav1.StatusReasonInvalid, strings.Repeat("ä", 10_000)))
	require.NotNil(t, refused)
	assert.Less(t, len(refused.Error()), 700)
	assert.True(t, strings.HasSuffix(refused.Why, "ä…"))
}
