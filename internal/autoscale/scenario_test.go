// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package autoscale_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/xflops/flame-operator/internal/autoscale"
)

var update = flag.Bool("update", false, "write the golden files anew")

// scenario is the input.yaml of a directory that is named after an incident. Why
// tells it.
type scenario struct {
	Why   string          `json:"why"`
	Delay string          `json:"delay"`
	Input autoscale.Input `json:"input"`
}

// verdict is the want.yaml: a decision that people can read.
type verdict struct {
	Desired int    `json:"desired"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	After   string `json:"after"`
	Needed  int    `json:"needed"`
	// Scaled is when it changed last, Peaks what is remembered.
	Scaled string            `json:"scaled,omitempty"`
	Peaks  []autoscale.Peak  `json:"peaks,omitempty"`
	Unfit  []autoscale.Unfit `json:"unfit,omitempty"`
}

func TestIncidents(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*/input.yaml")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(inputs), 8)
	for _, path := range inputs {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			var s scenario
			require.NoError(t, yaml.UnmarshalStrict(data, &s))
			require.NotEmpty(t, s.Why)
			s.Input.Bounds.Delay, err = time.ParseDuration(s.Delay)
			require.NoError(t, err)
			got, err := yaml.Marshal(tell(autoscale.Decide(s.Input)))
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

func tell(d autoscale.Decision) verdict {
	v := verdict{
		Desired: d.Desired, Reason: string(d.Reason), Message: d.Message, After: d.After.String(),
		Needed: d.Memory.Needed, Peaks: d.Memory.Peaks, Unfit: d.Unfit,
	}
	if !d.Memory.ScaledAt.IsZero() {
		v.Scaled = d.Memory.ScaledAt.Format(time.RFC3339)
	}
	return v
}
