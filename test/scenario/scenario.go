// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package scenario runs the directories under testdata that are named after
// incidents: what there was in input.yaml, what is decided in want.yaml.
package scenario

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

// document is an input.yaml. Why tells the incident.
type document[Input any] struct {
	Why   string `json:"why"`
	Input Input  `json:"input"`
}

// Each decides about the input of each directory, and compares the decision with
// the directory's want.yaml, or writes that with -update. There are at least so
// many directories.
func Each[Input any](t *testing.T, least int, decide func(Input) any) {
	t.Helper()
	inputs, err := filepath.Glob("testdata/*/input.yaml")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(inputs), least)
	for _, path := range inputs {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			var d document[Input]
			require.NoError(t, yaml.UnmarshalStrict(data, &d))
			require.NotEmpty(t, d.Why)
			got, err := yaml.Marshal(decide(d.Input))
			require.NoError(t, err)
			golden := filepath.Join(dir, "want.yaml")
			if *update {
				require.NoError(t, os.WriteFile(golden, got, 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), string(got))
		})
	}
}
