// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package words

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestCut(t *testing.T) {
	assert.Equal(t, "short", Cut("short", 5))
	assert.Equal(t, "lo…", Cut("longer", 5))
	for longest := 10; longest < 14; longest++ {
		cut := Cut(strings.Repeat("ä", 1000), longest)
		assert.LessOrEqual(t, len(cut), longest)
		assert.True(t, strings.HasSuffix(cut, "ä…"))
		assert.True(t, utf8.ValidString(cut))
	}
}

func TestCount(t *testing.T) {
	assert.Equal(t, "0 nodes", Count(0, "node"))
	assert.Equal(t, "1 node", Count(1, "node"))
	assert.Equal(t, "2 nodes", Count(2, "node"))
}
