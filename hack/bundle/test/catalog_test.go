// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/blang/semver/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// blob is what the catalog's documents hold.
type blob struct {
	Schema         string     `json:"schema"`
	Name           string     `json:"name"`
	Package        string     `json:"package"`
	DefaultChannel string     `json:"defaultChannel"`
	Image          string     `json:"image"`
	Entries        []edge     `json:"entries"`
	Properties     []property `json:"properties"`
}

type property struct {
	Type  string `json:"type"`
	Value any    `json:"value"`
}

type edge struct {
	Name      string   `json:"name"`
	Replaces  string   `json:"replaces"`
	Skips     []string `json:"skips"`
	SkipRange string   `json:"skipRange"`
}

func catalog(t *testing.T) map[string][]blob {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "catalog/flame-operator/catalog.yaml"))
	require.NoError(t, err)
	bySchema := map[string][]blob{}
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		var next blob
		if err := decoder.Decode(&next); errors.Is(err, io.EOF) {
			return bySchema
		} else if err != nil {
			require.NoError(t, err)
		}
		bySchema[next.Schema] = append(bySchema[next.Schema], next)
	}
}

// graph is what is wrong with the updates of a channel: exactly one entry is
// replaced by none, and from it every other one is reached, without a circle.
func graph(entries []edge) (complaints []string) {
	byName, replaced := map[string]edge{}, map[string]bool{}
	for _, entry := range entries {
		byName[entry.Name] = entry
		replaced[entry.Replaces] = true
	}
	var heads []string
	for _, entry := range entries {
		if entry.Replaces != "" && byName[entry.Replaces].Name == "" {
			complaints = append(complaints, entry.Name+" replaces "+entry.Replaces+", which is not there")
		}
		if !replaced[entry.Name] {
			heads = append(heads, entry.Name)
		}
	}
	if len(heads) != 1 {
		return append(complaints, fmt.Sprintf("%d heads: %v", len(heads), heads))
	}
	seen := map[string]bool{}
	for at := heads[0]; at != ""; at = byName[at].Replaces {
		if seen[at] {
			return append(complaints, at+" replaces itself, in a circle")
		}
		seen[at] = true
	}
	for _, entry := range entries {
		if !seen[entry.Name] {
			complaints = append(complaints, entry.Name+" dangles")
		}
	}
	return complaints
}

func TestGraphSaysWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		entries []edge
		want    string
	}{
		"a chain is good":          {[]edge{{Name: "a"}, {Name: "b", Replaces: "a"}, {Name: "c", Replaces: "b"}}, ""},
		"two heads":                {[]edge{{Name: "a"}, {Name: "b", Replaces: "a"}, {Name: "c", Replaces: "a"}}, "2 heads: [b c]"},
		"all in a circle":          {[]edge{{Name: "a", Replaces: "b"}, {Name: "b", Replaces: "a"}}, "0 heads: []"},
		"a circle below the head":  {[]edge{{Name: "a", Replaces: "b"}, {Name: "b", Replaces: "a"}, {Name: "c", Replaces: "b"}}, "b replaces itself, in a circle"},
		"a circle beside the head": {[]edge{{Name: "a", Replaces: "b"}, {Name: "b", Replaces: "a"}, {Name: "c"}}, "a dangles"},
		"what is replaced is gone": {[]edge{{Name: "b", Replaces: "a"}}, "b replaces a, which is not there"},
	} {
		t.Run(name, func(t *testing.T) {
			complaints := graph(test.entries)
			if test.want == "" {
				assert.Empty(t, complaints)
				return
			}
			assert.Contains(t, complaints, test.want)
		})
	}
}

func TestCatalogIsMadeOfTheReleases(t *testing.T) {
	blobs, all := catalog(t), released(t)
	require.Len(t, blobs["olm.package"], 1)
	assert.Equal(t, all.Package, blobs["olm.package"][0].Name)
	assert.Equal(t, all.DefaultChannel, blobs["olm.package"][0].DefaultChannel)

	require.Len(t, blobs["olm.bundle"], len(all.Releases))
	for i, bundle := range blobs["olm.bundle"] {
		version := all.Releases[i].Version
		assert.Equal(t, all.Name(version), bundle.Name)
		assert.Equal(t, "docker.io/xflops/flame-operator-bundle:v"+version, bundle.Image)
		for _, property := range bundle.Properties {
			assert.NotEqual(t, "olm.bundle.object", property.Type, "OpenShift refuses these from 4.17 on")
		}
	}
	var channels []string
	for _, channel := range blobs["olm.channel"] {
		channels = append(channels, channel.Name)
		assert.Empty(t, graph(channel.Entries), channel.Name)
	}
	assert.Contains(t, channels, all.DefaultChannel)
	assert.Subset(t, all.Channels, channels)
}

// The range of an entry holds every release before it, and neither itself nor a later one.
func TestSkipRangesHaveAnEnd(t *testing.T) {
	all := released(t)
	for _, channel := range catalog(t)["olm.channel"] {
		for i, entry := range channel.Entries {
			if i == 0 {
				assert.Empty(t, entry.Replaces, "the first one replaces nothing")
				continue
			}
			assert.Equal(t, channel.Entries[i-1].Name, entry.Replaces, "the chain keeps older ones installable")
			inRange, err := semver.ParseRange(entry.SkipRange)
			require.NoError(t, err)
			for _, release := range all.Releases {
				version := semver.MustParse(release.Version)
				before := version.LT(semver.MustParse(entry.Name[len(all.Package+".v"):]))
				assert.Equal(t, before, inRange(version), "%s in %s of %s", version, entry.SkipRange, entry.Name)
			}
		}
	}
}

// The bundles say the same as the first channel, where every release is: catalogs
// without channels of ours, such as the community's, go by the bundles.
func TestBundlesAreChainedLikeTheFirstChannel(t *testing.T) {
	all := released(t)
	var entries []edge
	for _, release := range all.Releases {
		csv := loadFrom(t, filepath.Join("catalog/releases", release.Version)).CSV
		entries = append(entries, edge{Name: csv.Name, Replaces: csv.Spec.Replaces, SkipRange: csv.Annotations["olm.skipRange"]})
		assert.Empty(t, csv.Spec.Skips)
	}
	assert.Empty(t, graph(entries))
	for _, channel := range catalog(t)["olm.channel"] {
		if channel.Name == all.Channels[0] {
			assert.Equal(t, channel.Entries, entries)
		}
	}
	next := load(t).CSV
	if all.Find(next.Spec.Version.String()) == nil {
		require.NoError(t, all.Check(next.Spec.Version.String()), "bundle/ is the next release")
		assert.Equal(t, all.Name(all.Last()), next.Spec.Replaces)
		assert.Equal(t, all.SkipRange(next.Spec.Version.String()), next.Annotations["olm.skipRange"])
	}
}
