// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPassesShareWhatMayBeCreatedAtOnce(t *testing.T) {
	assert.Equal(t, AtOnce, Share(1, false), "alone")
	assert.Equal(t, AtOnce, Share(1, true), "alone and without pods")
	assert.Equal(t, 30, Share(8, false), "with all workers busy")
	assert.Equal(t, 10, Share(8, true), "with all workers busy and without pods")
}
