// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
)

// identity is what a cluster is called on the host. All of it derives from
// the folder, so that two clusters never meet and what an earlier one left can
// be found again. Everything else is inside namespaces, where the same names
// and addresses are in nobody's way.
type identity struct {
	dir  string
	name string
	// number picks the addresses to begin with.
	number uint32
}

func identify(dir string) identity {
	sum := sha256.Sum256([]byte(dir))
	return identity{
		dir:    dir,
		name:   "localcluster-" + hex.EncodeToString(sum[:5]),
		number: binary.BigEndian.Uint32(sum[5:9]),
	}
}

// cgroup is the name of its control group.
func (i identity) cgroup() string { return i.name }

// hostLink is the name of its link on the host, which has at most 15 characters.
func (i identity) hostLink() string { return "lc" + i.name[len("localcluster-"):] }

// A link takes four addresses out of 198.18.0.0/15, which is set aside for
// tests between machines and is on nobody's network.
const (
	firstAddress = 198<<24 | 18<<16
	links        = 1 << 15
)

// candidate returns the addresses of the host and the node on the n-th link to try.
func (i identity) candidate(n uint32) (host, node netip.Prefix) {
	base := firstAddress + 4*((i.number+n)%links)
	at := func(offset uint32) netip.Prefix {
		var bytes [4]byte
		binary.BigEndian.PutUint32(bytes[:], base+offset)
		return netip.PrefixFrom(netip.AddrFrom4(bytes), 30)
	}
	return at(1), at(2)
}

// addresses returns the first candidate that nothing on the host uses.
func (i identity) addresses(taken func(netip.Prefix) (string, error)) (host, node netip.Prefix, err error) {
	const tries = 64
	var by string
	for n := range uint32(tries) {
		host, node = i.candidate(n)
		if by, err = taken(host.Masked()); err != nil {
			return host, node, err
		}
		if by == "" {
			return host, node, nil
		}
	}
	return host, node, fmt.Errorf("the host uses all of 198.18.0.0/15 that was tried, the last one for its %s", by)
}
