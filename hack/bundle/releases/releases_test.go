// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package releases

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const head = `
package: flame
channels: [candidate, stable]
defaultChannel: stable
architectures: [amd64]
releases:
`

func TestParse(t *testing.T) {
	for name, test := range map[string]struct{ lines, want string }{
		"nothing is released yet":                {"", ""},
		"versions grow as numbers, not as words": {"- {version: 0.9.0, channels: [candidate]}\n- {version: 0.10.0, channels: [candidate]}", ""},
		"the same version twice":                 {"- {version: 0.1.0, channels: [candidate]}\n- {version: 0.1.0, channels: [candidate]}", "0.1.0 is not newer than 0.1.0"},
		"an older one after a newer one":         {"- {version: 0.2.0, channels: [candidate]}\n- {version: 0.1.9, channels: [candidate]}", "0.1.9 is not newer than 0.2.0"},
		"two numbers are no version":             {"- {version: '0.1', channels: [candidate]}", `"0.1" is no version`},
		"a pre-release":                          {"- {version: 0.1.0-rc1, channels: [candidate]}", "more than three numbers"},
		"an unknown channel":                     {"- {version: 0.1.0, channels: [candidate, beta]}", `is in "beta"`},
		"a release that skips the first channel": {"- {version: 0.1.0, channels: [stable]}", "is not in candidate"},
		"a key with a slip of the pen":           {"- {version: 0.1.0, chanels: [candidate]}", "unknown field"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(head + test.lines))
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
		})
	}
}

func three(t *testing.T) *Releases {
	t.Helper()
	all, err := Parse([]byte(head + `
- {version: 0.1.0, channels: [candidate, stable]}
- {version: 0.1.1, channels: [candidate]}
- {version: 0.2.0, channels: [candidate, stable]}
`))
	require.NoError(t, err)
	return all
}

func TestPredecessor(t *testing.T) {
	all := three(t)
	for version, want := range map[string]string{"0.1.0": "", "0.1.1": "0.1.0", "0.2.0": "0.1.1", "0.10.0": "0.2.0"} {
		assert.Equal(t, want, all.Predecessor(version), version)
	}
	assert.Empty(t, all.SkipRange("0.1.0"), "the first release replaces nothing")
	assert.Equal(t, ">=0.1.0 <0.2.0", all.SkipRange("0.2.0"))
}

func TestCheck(t *testing.T) {
	all := three(t)
	require.NoError(t, all.Check("0.2.1"))
	require.ErrorContains(t, all.Check("0.2.0"), "not newer")
	require.ErrorContains(t, all.Check("v0.3.0"), "no version")
}

// A release that was never promoted is skipped in the more mature channel, and
// what would have replaced it replaces the one before.
func TestCatalog(t *testing.T) {
	data, err := three(t).Catalog([]byte("<svg/>"))
	require.NoError(t, err)
	assert.Equal(t, `---
defaultChannel: stable
icon:
  base64data: PHN2Zy8+
  mediatype: image/svg+xml
name: flame
schema: olm.package
---
entries:
- name: flame.v0.1.0
- name: flame.v0.1.1
  replaces: flame.v0.1.0
  skipRange: '>=0.1.0 <0.1.1'
- name: flame.v0.2.0
  replaces: flame.v0.1.1
  skipRange: '>=0.1.0 <0.2.0'
name: candidate
package: flame
schema: olm.channel
---
entries:
- name: flame.v0.1.0
- name: flame.v0.2.0
  replaces: flame.v0.1.0
  skipRange: '>=0.1.0 <0.2.0'
name: stable
package: flame
schema: olm.channel
`, string(data))
}

func TestDeprecations(t *testing.T) {
	all := three(t)
	all.Deprecations = map[string]string{"stable": "Use candidate.", "0.1.1": "It loses tasks: use 0.2.0."}
	data, err := all.Catalog(nil)
	require.NoError(t, err)
	assert.Contains(t, string(data), `---
entries:
- message: 'It loses tasks: use 0.2.0.'
  reference:
    name: flame.v0.1.1
    schema: olm.bundle
- message: Use candidate.
  reference:
    name: stable
    schema: olm.channel
package: flame
schema: olm.deprecations
`)
	_, err = Parse([]byte("deprecations: {0.3.0: no}" + head))
	require.ErrorContains(t, err, `"0.3.0" is neither a release nor a channel`)
}

func TestNext(t *testing.T) {
	all := three(t)
	next, err := all.Next("0.2.1")
	require.NoError(t, err)
	assert.Len(t, all.Releases, 3, "what is released stays as it is")
	assert.Equal(t, []string{"candidate"}, next.Find("0.2.1").Channels)
	assert.Nil(t, all.Find("0.2.1"))
	_, err = all.Next("0.1.5")
	require.ErrorContains(t, err, "not newer")
}
