// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// assertNamesNoPod makes sure that what people read of a cluster, and compare
// over time, holds no name that changes with every pod.
func assertNamesNoPod(t *testing.T, status *flamev1alpha1.FlameClusterStatus, pods ...uids) {
	t.Helper()
	messages := []string{status.Message}
	for _, condition := range status.Conditions {
		messages = append(messages, condition.Message)
	}
	for _, message := range messages {
		for _, some := range pods {
			for name, uid := range some {
				assert.NotContains(t, message, name)
				assert.NotContains(t, message, string(uid))
			}
		}
	}
}
