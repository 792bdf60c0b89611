// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flameconf

import (
	"fmt"
	"slices"

	"github.com/distribution/reference"
	"k8s.io/apimachinery/pkg/util/version"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/words"
)

// Supported says which versions of Flame this operator can configure, for messages to users.
const Supported = "0.6.0 and later 0.6 releases"

// Version is a version of Flame that the operator can configure.
type Version struct{ parsed *version.Version }

// dialect is what differs between versions of Flame in the configuration.
type dialect struct {
	from, before *version.Version
	// policies are the scheduler plugins that must be loaded besides the one a user chose:
	// drf alone fits executors to a node's capacity, and 0.6.0 allocates nothing without
	// gang, which later versions refuse.
	policies []string
}

// Flame workaround: policies
var dialects = []dialect{
	{from: version.MustParseGeneric("0.6.0"), before: version.MustParseGeneric("0.6.1"), policies: []string{"drf", "gang"}},
	{from: version.MustParseGeneric("0.6.1"), before: version.MustParseGeneric("0.7.0"), policies: []string{"drf"}},
}

// longestImage is how much of the name of an image is told, in bytes.
const longestImage = 300

// VersionOf returns the version of Flame that a cluster runs: the explicit one, or else the
// tag of image. If the version cannot be told or is not supported, the error says in a
// user's words what to change.
func VersionOf(explicit, image string) (Version, error) {
	if explicit != "" {
		return parse("flameVersion", explicit)
	}
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return Version{}, fmt.Errorf("sessionManager.image %q is no image name: %w", words.Cut(image, longestImage), err)
	}
	tagged, ok := named.(reference.Tagged)
	if !ok {
		return Version{}, fmt.Errorf("sessionManager.image %q has no tag that tells the version of Flame: set flameVersion", words.Cut(image, longestImage))
	}
	if _, err := version.ParseSemantic(tagged.Tag()); err != nil {
		return Version{}, fmt.Errorf("sessionManager.image has the tag %q, which is no version of Flame: set flameVersion", tagged.Tag())
	}
	return parse("sessionManager.image, by its tag,", tagged.Tag())
}

func parse(origin, text string) (Version, error) {
	parsed, err := version.ParseSemantic(text)
	if err != nil {
		return Version{}, fmt.Errorf("%s is %q, which is no version: write it as 0.6.0", origin, text)
	}
	v := Version{parsed: parsed}
	if v.dialect() == nil {
		return Version{}, fmt.Errorf("%s asks for Flame %s, which this operator does not support: use %s", origin, v, Supported)
	}
	return v, nil
}

// String returns the version without a leading v.
func (v Version) String() string { return v.parsed.String() }

// Gang reports whether this version serves a session in whole batches.
//
// Flame workaround: batches
func (v Version) Gang() bool { return slices.Contains(v.dialect().policies, "gang") }

// dialect returns how this version is configured, or nil if it is not supported. A
// pre-release is configured as its release is.
func (v Version) dialect() *dialect {
	core := version.MustParseGeneric(fmt.Sprintf("%d.%d.%d", v.parsed.Major(), v.parsed.Minor(), v.parsed.Patch()))
	i := slices.IndexFunc(dialects, func(d dialect) bool { return core.AtLeast(d.from) && core.LessThan(d.before) })
	if i < 0 {
		return nil
	}
	return &dialects[i]
}

// policies lists the scheduler plugins for a user's policy, in Flame's order.
func (v Version) policies(policy flamev1alpha1.Policy) []string {
	required := v.dialect().policies
	if slices.Contains(required, string(policy)) {
		return required
	}
	return append([]string{string(policy)}, required...)
}
