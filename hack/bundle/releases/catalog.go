// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package releases

import (
	"bytes"
	"encoding/base64"
	"errors"
	"maps"
	"slices"

	"sigs.k8s.io/yaml"
)

type olmPackage struct {
	Schema         string `json:"schema"`
	Name           string `json:"name"`
	DefaultChannel string `json:"defaultChannel"`
	Icon           icon   `json:"icon"`
}

type icon struct {
	Data      string `json:"base64data"`
	MediaType string `json:"mediatype"`
}

type olmChannel struct {
	Schema  string  `json:"schema"`
	Package string  `json:"package"`
	Name    string  `json:"name"`
	Entries []entry `json:"entries"`
}

type entry struct {
	Name      string `json:"name"`
	Replaces  string `json:"replaces,omitempty"`
	SkipRange string `json:"skipRange,omitempty"`
}

type olmDeprecations struct {
	Schema  string        `json:"schema"`
	Package string        `json:"package"`
	Entries []deprecation `json:"entries"`
}

type deprecation struct {
	Reference reference `json:"reference"`
	Message   string    `json:"message"`
}

type reference struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
}

// Catalog is what a file-based catalog has beside the bundles: the package, with
// an icon in SVG, the channels and the deprecations, as YAML documents. In a channel each release
// replaces the one before it in that channel, which keeps older ones installable;
// the range lets any of them be updated in one step.
func (r *Releases) Catalog(svg []byte) ([]byte, error) {
	documents := []any{olmPackage{
		Schema: "olm.package", Name: r.Package, DefaultChannel: r.DefaultChannel,
		Icon: icon{Data: base64.StdEncoding.EncodeToString(svg), MediaType: "image/svg+xml"},
	}}
	for _, name := range r.Channels {
		if channel := r.channel(name); len(channel.Entries) > 0 {
			documents = append(documents, channel)
		} else if name == r.DefaultChannel {
			return nil, errors.New("no release is in the default channel, " + name)
		}
	}
	if len(r.Deprecations) > 0 {
		documents = append(documents, r.deprecations())
	}
	var out bytes.Buffer
	for _, document := range documents {
		data, err := yaml.Marshal(document)
		if err != nil {
			return nil, err
		}
		out.WriteString("---\n")
		out.Write(data)
	}
	return out.Bytes(), nil
}

func (r *Releases) channel(name string) olmChannel {
	channel := olmChannel{Schema: "olm.channel", Package: r.Package, Name: name}
	previous := ""
	for _, release := range r.Releases {
		if !slices.Contains(release.Channels, name) {
			continue
		}
		next := entry{Name: r.Name(release.Version), SkipRange: r.SkipRange(release.Version)}
		if previous != "" {
			next.Replaces = r.Name(previous)
		}
		channel.Entries = append(channel.Entries, next)
		previous = release.Version
	}
	return channel
}

func (r *Releases) deprecations() olmDeprecations {
	list := olmDeprecations{Schema: "olm.deprecations", Package: r.Package}
	for _, name := range slices.Sorted(maps.Keys(r.Deprecations)) {
		to := reference{Schema: "olm.channel", Name: name}
		if r.Find(name) != nil {
			to = reference{Schema: "olm.bundle", Name: r.Name(name)}
		}
		list.Entries = append(list.Entries, deprecation{Reference: to, Message: r.Deprecations[name]})
	}
	return list
}
