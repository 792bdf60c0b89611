// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/test/clusters"
)

func TestTheLimitThatAnObjectCacheReallyHasDecidesWhatObjectsMayTake(t *testing.T) {
	objects, err := Build(clusters.Parse(t, clusters.MinimalWithCache), Inputs{})
	require.NoError(t, err)
	container := objects.ObjectCache.Spec.Template.Spec.Containers[0]
	assert.Equal(t, "1073741824", container.Command[len(container.Command)-1], "what the configuration says")
	limit := container.Env[len(container.Env)-1]
	assert.Equal(t, "limits.memory", *limit.ValueFrom.ResourceFieldRef.Resource)

	program := filepath.Join(t.TempDir(), "flame-object-cache")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/bash\necho \"starts $* with $FLAME_CACHE_MAX_MEMORY\"\n"), 0o755))
	command := append([]string{}, container.Command...)
	command[len(command)-2] = program
	const asConfigured = "starts --config /etc/flame/flame-cluster.yaml with 1073741824\n"
	for name, test := range map[string]struct{ limit, want string }{
		"a limit that a LimitRange sets": {
			"268435456", "objects may take 201326592 bytes of memory, since the container has 268435456\n" +
				"starts --config /etc/flame/flame-cluster.yaml with 201326592\n",
		},
		"a limit of just as much":        {"1073741824", "objects may take 805306368 bytes of memory, since the container has 1073741824\nstarts --config /etc/flame/flame-cluster.yaml with 805306368\n"},
		"a limit with room":              {"2147483648", asConfigured},
		"no limit but the node's memory": {"67430014976", asConfigured},
		"nothing is known":               {"", asConfigured},
	} {
		t.Run(name, func(t *testing.T) {
			start := exec.Command(command[0], command[1:]...)
			start.Env = append(os.Environ(), *limit.Name+"="+test.limit)
			out, err := start.CombinedOutput()
			require.NoError(t, err, string(out))
			assert.Equal(t, test.want, string(out))
		})
	}
}
