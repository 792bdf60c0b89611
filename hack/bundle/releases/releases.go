// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package releases knows what config/releases.yaml says: which versions there are, what
// each one replaces, and what the catalog's channels hold. The package takes values and
// returns values.
package releases

import (
	"errors"
	"fmt"
	"slices"

	"github.com/blang/semver/v4"
	"sigs.k8s.io/yaml"
)

// Releases is the content of config/releases.yaml.
type Releases struct {
	// Package is the operator's name in catalogs.
	Package string `json:"package"`
	// Channels are the catalog's, from the least to the most mature.
	Channels []string `json:"channels"`
	// DefaultChannel is the one that a Subscription without a channel gets.
	DefaultChannel string `json:"defaultChannel"`
	// Architectures are those that images are built for.
	Architectures []string `json:"architectures"`
	// Deprecations say what to do instead of staying with a version or a channel.
	Deprecations map[string]string `json:"deprecations,omitempty"`
	// Releases are all that there are, oldest first.
	Releases []Release `json:"releases"`
}

// Release is one version that was released.
type Release struct {
	Version string `json:"version"`
	// Channels are those that it has been promoted to.
	Channels []string `json:"channels"`
	// Digest pins the operator's image, as sha256:...; without it the image has
	// the tag of its version.
	Digest string `json:"digest,omitempty"`
}

// Parse reads config/releases.yaml, and refuses content from which the catalog could not
// be made.
func Parse(data []byte) (*Releases, error) {
	all := &Releases{}
	if err := yaml.UnmarshalStrict(data, all); err != nil {
		return nil, err
	}
	if !slices.Contains(all.Channels, all.DefaultChannel) {
		return nil, fmt.Errorf("defaultChannel %q is none of the channels", all.DefaultChannel)
	}
	if len(all.Architectures) == 0 {
		return nil, errors.New("there are no architectures")
	}
	last := ""
	for _, release := range all.Releases {
		if err := newer(release.Version, last); err != nil {
			return nil, err
		}
		last = release.Version
		if !slices.Contains(release.Channels, all.Channels[0]) {
			return nil, fmt.Errorf("%s is not in %s, where every release begins", release.Version, all.Channels[0])
		}
		for _, channel := range release.Channels {
			if !slices.Contains(all.Channels, channel) {
				return nil, fmt.Errorf("%s is in %q, which is none of the channels", release.Version, channel)
			}
		}
	}
	for name := range all.Deprecations {
		if all.Find(name) == nil && !slices.Contains(all.Channels, name) {
			return nil, fmt.Errorf("deprecations: %q is neither a release nor a channel", name)
		}
	}
	return all, nil
}

// newer says why version cannot follow last, which is empty for the first one.
func newer(version, last string) error {
	this, err := semver.Parse(version)
	if err != nil {
		return fmt.Errorf("%q is no version such as 0.2.1: %w", version, err)
	}
	if len(this.Pre)+len(this.Build) > 0 {
		return fmt.Errorf("%s is more than three numbers: what is not ready goes into a candidate channel", version)
	}
	if last != "" && this.LTE(semver.MustParse(last)) {
		return fmt.Errorf("%s is not newer than %s", version, last)
	}
	return nil
}

// Last is the newest release, or empty.
func (r *Releases) Last() string {
	if len(r.Releases) == 0 {
		return ""
	}
	return r.Releases[len(r.Releases)-1].Version
}

// Check says why version cannot be released next.
func (r *Releases) Check(version string) error { return newer(version, r.Last()) }

// Find returns the release of a version, or nil.
func (r *Releases) Find(version string) *Release {
	for i := range r.Releases {
		if r.Releases[i].Version == version {
			return &r.Releases[i]
		}
	}
	return nil
}

// Predecessor is the newest release before version, or empty.
func (r *Releases) Predecessor(version string) string {
	found := ""
	for _, release := range r.Releases {
		if newer(version, release.Version) == nil {
			found = release.Version
		}
	}
	return found
}

// Next returns the same releases and version, which is in the first channel only.
func (r *Releases) Next(version string) (*Releases, error) {
	if err := r.Check(version); err != nil {
		return nil, err
	}
	next := *r
	next.Releases = append(slices.Clone(r.Releases), Release{Version: version, Channels: r.Channels[:1]})
	return &next, nil
}

// Name is the name of a version's ClusterServiceVersion.
func (r *Releases) Name(version string) string { return r.Package + ".v" + version }

// SkipRange is the range of releases that version can replace in one step: every release
// before it. The range has an end, so that a later release never falls into it.
func (r *Releases) SkipRange(version string) string {
	if r.Predecessor(version) == "" {
		return ""
	}
	return fmt.Sprintf(">=%s <%s", r.Releases[0].Version, version)
}
