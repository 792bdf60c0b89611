// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/xflops/flame-operator/internal/podstate"
)

func TestReplace(t *testing.T) {
	for name, test := range map[string]struct {
		pods []podstate.Pod
		want string
	}{
		"no pods":                                {nil, ""},
		"an up-to-date pod stays":                {[]podstate.Pod{{Name: "a", Hash: "new", Ready: true}}, ""},
		"an up-to-date pod that fails stays":     {[]podstate.Pod{{Name: "a", Hash: "new"}}, ""},
		"an outdated pod goes":                   {[]podstate.Pod{{Name: "a", Hash: "old", Ready: true}}, "a"},
		"one that does not work goes first":      {[]podstate.Pod{{Name: "a", Hash: "old", Ready: true}, {Name: "b", Hash: "old"}}, "b"},
		"one at a time":                          {[]podstate.Pod{{Name: "a", Hash: "new"}, {Name: "b", Hash: "old", Ready: true}}, ""},
		"one that goes already is waited for":    {[]podstate.Pod{{Name: "a", Hash: "old", Terminating: true}, {Name: "b", Hash: "old", Ready: true}}, ""},
		"names decide, whatever order they have": {[]podstate.Pod{{Name: "b", Hash: "old", Ready: true}, {Name: "a", Hash: "old", Ready: true}}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, ReplaceObjectCache(test.pods, "new"))
		})
	}
}
