// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package objectcache

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestReplace(t *testing.T) {
	for name, test := range map[string]struct {
		pods []Pod
		want string
	}{
		"no pods":                                {nil, ""},
		"an up-to-date pod stays":                {[]Pod{{Name: "a", Hash: "new", Ready: true}}, ""},
		"an up-to-date pod that fails stays":     {[]Pod{{Name: "a", Hash: "new"}}, ""},
		"an outdated pod goes":                   {[]Pod{{Name: "a", Hash: "old", Ready: true}}, "a"},
		"one that does not work goes first":      {[]Pod{{Name: "a", Hash: "old", Ready: true}, {Name: "b", Hash: "old"}}, "b"},
		"one at a time":                          {[]Pod{{Name: "a", Hash: "new"}, {Name: "b", Hash: "old", Ready: true}}, ""},
		"one that goes already is waited for":    {[]Pod{{Name: "a", Hash: "old", Terminating: true}, {Name: "b", Hash: "old", Ready: true}}, ""},
		"names decide, whatever order they have": {[]Pod{{Name: "b", Hash: "old", Ready: true}, {Name: "a", Hash: "old", Ready: true}}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, Replace(test.pods, "new"))
		})
	}
}
