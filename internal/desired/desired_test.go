// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/xflops/flame-operator/test/clusters"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Each folder of testdata holds a cluster.yaml and the objects that come of it.
func TestBuildMakesTheWholeObjects(t *testing.T) {
	inputs := map[string]Inputs{
		"openshift":       {OpenShift: true},
		"uri-from-secret": {StorageURI: "fs:///var/lib/flame/elsewhere"},
	}
	folders, err := filepath.Glob("testdata/*")
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(folder, "cluster.yaml"))
			require.NoError(t, err)
			objects, err := Build(clusters.Parse(t, string(text)), inputs[filepath.Base(folder)])
			require.NoError(t, err)
			checkGolden(t, filepath.Join(folder, "objects.yaml"), objects)
		})
	}
}

func checkGolden(t *testing.T, path string, objects *Objects) {
	t.Helper()
	got := render(t, objects)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update to write the golden file")
	assert.Equal(t, string(want), string(got))
}

func render(t *testing.T, o *Objects) []byte {
	t.Helper()
	var out bytes.Buffer
	add := func(object any, wanted bool) {
		if !wanted {
			return
		}
		text, err := yaml.Marshal(object)
		require.NoError(t, err)
		out.WriteString("---\n")
		out.Write(text)
	}
	add(o.ServiceAccount, o.ServiceAccount != nil)
	add(o.Config, o.Config != nil)
	add(o.SecretConfig, o.SecretConfig != nil)
	add(o.SessionManagerClaim, o.SessionManagerClaim != nil)
	add(o.SessionManagerService, true)
	add(o.SessionManager, true)
	add(o.ExecutorManager, true)
	add(o.ObjectCacheService, o.ObjectCacheService != nil)
	add(o.ObjectCache, o.ObjectCache != nil)
	return out.Bytes()
}
