// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// image is what a kustomization names instead of an image that its resources name.
type image struct {
	Name   string `json:"name"`
	NewTag string `json:"newTag"`
	Digest string `json:"digest"`
}

func kustomizedImages(t *testing.T, folder string) []image {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "config", folder, "kustomization.yaml"))
	require.NoError(t, err)
	kustomization := struct {
		Images []image `json:"images"`
	}{}
	require.NoError(t, yaml.Unmarshal(data, &kustomization))
	return kustomization.Images
}

// Whoever installs from config/ gets an operator that there is: that of the last
// release, by its digest if it has one. The bundle names the next one.
func TestConfigInstallsTheLastRelease(t *testing.T) {
	all := released(t)
	want := image{Name: "docker.io/xflops/flame-operator", NewTag: "v" + all.Last()}
	if digest := all.Find(all.Last()).Digest; digest != "" {
		want.NewTag, want.Digest = "", digest
	}
	assert.Equal(t, []image{want}, kustomizedImages(t, "manager"))

	manager, err := os.ReadFile(filepath.Join(root, "config/manager/manager.yaml"))
	require.NoError(t, err)
	assert.Contains(t, string(manager), "        image: "+want.Name+"\n", "it is this image that the tag is for")
}

// The scorecard's image is named by nothing but the bundle, and is of its version.
func TestTheScorecardsImageIsTheBundles(t *testing.T) {
	version := load(t).CSV.Spec.Version.String()
	assert.Equal(t, []image{{Name: "docker.io/xflops/flame-scorecard", NewTag: "v" + version}}, kustomizedImages(t, "scorecard"))
}
