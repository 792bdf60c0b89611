// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"strings"
)

// Mentions says which of the words are not in a text.
func Mentions(text string, words ...string) error {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return fmt.Errorf("%q is not in %q", word, text)
		}
	}
	return nil
}
