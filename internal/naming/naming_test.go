// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package naming

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/util/validation"
)

func TestLongestClusterNameGivesValidNames(t *testing.T) {
	longest := strings.Repeat("c", 39)
	for _, name := range []string{
		Config(longest), ServiceAccount(longest), SessionManager(longest), ObjectCache(longest),
		ExecutorManagerPrefix(longest) + "abcde",
	} {
		assert.Empty(t, validation.IsDNS1035Label(name), name)
	}
	// The StatefulSet controller puts its name and a hash of ten characters into a label.
	assert.Empty(t, validation.IsValidLabelValue(ObjectCache(longest)+"-5d8c7f9b6d"))
}

func TestEndpointsNameThePortsThatFlameDials(t *testing.T) {
	assert.Equal(t, "http://c-session-manager.ns.svc:8080", Endpoint("c", "ns"))
	assert.Equal(t, "grpc://c-object-cache.ns.svc:9090", CacheEndpoint("c", "ns"))
	assert.Equal(t, FrontendPort+1, BackendPort)
}
