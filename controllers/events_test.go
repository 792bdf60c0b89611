// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestWhatIsTooLongForAnEventIsCut(t *testing.T) {
	assert.Equal(t, "short", note("short"))
	long := note(strings.Repeat("ä", 1000))
	assert.LessOrEqual(t, len(long), 1024)
	assert.True(t, strings.HasSuffix(long, "ä…"))
	assert.True(t, utf8.ValidString(long))
}
