// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/intstr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/clusters"
)

// limit reads a limit as YAML does.
func limit(text string) intstr.IntOrString {
	if bare := strings.Trim(text, "'"); bare != text {
		return intstr.FromString(bare)
	}
	return intstr.Parse(text)
}

func TestRollout(t *testing.T) {
	for name, test := range map[string]struct {
		replicas               int32
		suspend                bool
		maxSurge, maxMissing   string
		wantSurge, wantMissing int
	}{
		"a quarter is rounded up to one":          {1, false, "25%", "0", 1, 0},
		"a quarter of ten is three":               {10, false, "25%", "0", 3, 0},
		"what may be missing is rounded down":     {10, false, "0", "25%", 0, 2},
		"nothing on both sides makes one missing": {3, false, "0", "10%", 0, 1},
		"numbers stay numbers":                    {3, false, "5", "2", 5, 2},
		"a suspended cluster wants none":          {3, true, "5", "2", 5, 2},
		"numbers in quotes are numbers":           {3, false, "'5'", "'0'", 5, 0},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := clusters.Parse(t, clusters.Minimal)
			cluster.Spec.ExecutorManager.Replicas = &test.replicas
			cluster.Spec.Suspend = test.suspend
			cluster.Spec.ExecutorManager.UpdateStrategy.MaxSurge = limit(test.maxSurge)
			cluster.Spec.ExecutorManager.UpdateStrategy.MaxUnavailable = limit(test.maxMissing)
			surge, missing, err := UpdateLimits(cluster, Replicas(cluster))
			require.NoError(t, err)
			assert.Equal(t, test.wantSurge, surge)
			assert.Equal(t, test.wantMissing, missing)
			assert.Equal(t, test.suspend, Replicas(cluster) == 0)
		})
	}
}

func TestASpecThatCannotBeReadWantsNone(t *testing.T) {
	assert.Zero(t, Replicas(&flamev1alpha1.FlameCluster{}))
}
