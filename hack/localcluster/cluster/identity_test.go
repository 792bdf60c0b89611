// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAFolderAlwaysGivesTheSameNames(t *testing.T) {
	assert.Equal(t, identify("/a"), identify("/a"))
	assert.NotEqual(t, identify("/a").name, identify("/b").name)
	assert.Equal(t, "localcluster-6a50dc8584", identify("/a").cgroup())
	assert.Equal(t, "lc6a50dc8584", identify("/a").hostLink())
	// The kernel's limit for the name of an interface.
	assert.LessOrEqual(t, len(identify("/a").hostLink()), 15)
}

func TestOneFolderIsOneClusterByWhateverPath(t *testing.T) {
	folder := filepath.Join(resolve(t.TempDir()), "real")
	require.NoError(t, os.Mkdir(folder, 0o755))
	link := filepath.Join(filepath.Dir(folder), "link")
	require.NoError(t, os.Symlink(folder, link))

	assert.Equal(t, folder, resolve(link))
	assert.Equal(t, filepath.Join(folder, "not", "yet"), resolve(filepath.Join(link, "not", "yet")))
}

func TestAddressesAreInTheRangeForTests(t *testing.T) {
	whole := netip.MustParsePrefix("198.18.0.0/15")
	for n := range 200 {
		host, node := identify(fmt.Sprint("/folder/", n)).candidate(uint32(n) * 300)
		assert.True(t, whole.Contains(host.Addr()), host)
		assert.Equal(t, host.Masked(), node.Masked(), "two ends of one link")
		assert.Equal(t, host.Addr().Next(), node.Addr())
		assert.NotEqual(t, host.Masked().Addr(), host.Addr(), "the first address is the network's")
	}
}

func TestAddressesThatTheHostUsesAreLeftAlone(t *testing.T) {
	i := identify("/a")
	first, _ := i.candidate(0)
	second, node := i.candidate(1)
	busy := func(prefixes ...netip.Prefix) func(netip.Prefix) (string, error) {
		return func(prefix netip.Prefix) (string, error) {
			for _, p := range prefixes {
				if p.Overlaps(prefix) {
					return "route " + p.String(), nil
				}
			}
			return "", nil
		}
	}
	gotHost, gotNode, err := i.addresses(busy(first.Masked()))
	require.NoError(t, err)
	assert.Equal(t, second, gotHost)
	assert.Equal(t, node, gotNode)

	_, _, err = i.addresses(busy(netip.MustParsePrefix("198.0.0.0/8")))
	assert.ErrorContains(t, err, "route 198.0.0.0/8")
}
