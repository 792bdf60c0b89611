// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestFilter(t *testing.T) {
	for filter, want := range map[string]string{
		"":                               "error",
		"info":                           "error info plugin",
		"info,crate::scheduler=warn":     "error info",
		"crate::scheduler::plugins=info": "error plugin",
		"off":                            "",
		"nonsense":                       "error",
	} {
		var out bytes.Buffer
		log := New(&out, "crate", filter)
		log.Errorf("", "error")
		log.Infof("controller", "info")
		log.Infof("scheduler::plugins", "plugin")
		log.Debugf("", "debug")
		var words []string
		for line := range strings.Lines(out.String()) {
			words = append(words, line[strings.LastIndex(strings.TrimSpace(line), " ")+1:])
		}
		assert.Equal(t, want, strings.TrimSpace(strings.ReplaceAll(strings.Join(words, " "), "\n", "")), filter)
	}
}
