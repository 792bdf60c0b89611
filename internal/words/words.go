// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package words shortens texts of others to the room that there is.
package words

import "strings"

// Cut returns the first bytes of a text, with an ellipsis in place of the rest if there
// is more. No character is cut in two.
func Cut(text string, longest int) string {
	const more = "…"
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest-len(more)], "") + more
}
