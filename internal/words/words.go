// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package words writes texts for users: it counts, and shortens what others say to the
// room that there is.
package words

import (
	"fmt"
	"strings"
)

// Cut returns the first bytes of a text, with an ellipsis in place of the rest if there
// is more. No character is cut in two.
func Cut(text string, longest int) string {
	const more = "…"
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest-len(more)], "") + more
}

// Count returns a number of things in words, such as "1 node" and "2 nodes".
func Count(n int32, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
