// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExample(t *testing.T) {
	const (
		large = `{"kind": "FlameCluster", "metadata": {"name": "a"}, "spec": {"suspend": true, "sessionManager": {"image": "large", "maxSessions": 5}}}`
		small = `{"kind": "FlameCluster", "metadata": {"name": "b"}, "spec": {"sessionManager": {"image": "small"}}}`
	)
	for name, test := range map[string]struct {
		text, want, wantError string
	}{
		"the smallest is the one to begin with":   {text: "[" + large + "," + small + "]", want: "small"},
		"wherever it stands":                      {text: "[" + small + "," + large + "]", want: "small"},
		"examples of other kinds are none":        {text: `[{"kind": "Other"},` + large + "]", want: "large"},
		"an example with a field that is unknown": {text: `[{"kind": "FlameCluster", "spec": {"sessionManger": {}}}]`, wantError: "sessionManger"},
		"no example":                               {text: "[]", wantError: "no FlameCluster"},
		"an annotation that is not there":          {wantError: "JSON"},
		"an example that is a list of no examples": {text: `{"kind": "FlameCluster"}`, wantError: "unmarshal"},
	} {
		t.Run(name, func(t *testing.T) {
			example, err := smallest(test.text)
			if test.wantError != "" {
				require.ErrorContains(t, err, test.wantError)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, example.Spec.SessionManager.Image)
			assert.Empty(t, example.Name, "a trial gives it a name of its own")
		})
	}
}

func TestFolderWithoutABundle(t *testing.T) {
	_, err := firstExample(t.TempDir())
	require.ErrorContains(t, err, "read the bundle in ")
}
