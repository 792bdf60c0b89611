// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// link is what a node's end of its link to the host is called.
const link = "eth0"

// Connect makes the link between the host and the node that runs as process pid.
func Connect(spec Spec, pid int) error {
	veth := &netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: spec.HostLink},
		PeerName:      link,
		PeerNamespace: netlink.NsPid(pid),
	}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("make the link %q to the node: %w", spec.HostLink, err)
	}
	return configure(spec.HostLink, spec.HostAddress)
}

// Disconnect removes the host's end of the link, if it is there.
func Disconnect(name string) error {
	found, err := netlink.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for the link %q: %w", name, err)
	}
	if err := netlink.LinkDel(found); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("remove the link %q: %w", name, err)
	}
	return nil
}

// Taken says what on the host uses some of the addresses of prefix, or is empty.
func Taken(prefix netip.Prefix) (string, error) {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return "", fmt.Errorf("list the host's routes: %w", err)
	}
	for _, route := range routes {
		if route.Dst == nil {
			continue
		}
		address, _ := netip.AddrFromSlice(route.Dst.IP.To4())
		ones, _ := route.Dst.Mask.Size()
		// A default route leads everywhere and takes nothing.
		if ones > 0 && netip.PrefixFrom(address, ones).Overlaps(prefix) {
			return "route " + route.Dst.String(), nil
		}
	}
	return "", nil
}

// configureNetwork sets up the network inside the node, once the host has made the link.
func configureNetwork(ctx context.Context, spec Spec) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		if _, err := netlink.LinkByName(link); err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return errors.New("the host made no link to this node within 30 s")
		case <-time.After(20 * time.Millisecond):
		}
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set up the loopback interface: %w", err)
	}
	if err := configure(link, spec.Address); err != nil {
		return err
	}
	if err := netlink.RouteAdd(&netlink.Route{Gw: spec.HostAddress.Addr().AsSlice()}); err != nil {
		return fmt.Errorf("add the default route: %w", err)
	}
	// The setting is the node's own; the host's stays as it is.
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}

func configure(name string, address netip.Prefix) error {
	found, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("look for the link %q: %w", name, err)
	}
	ip := &net.IPNet{IP: address.Addr().AsSlice(), Mask: net.CIDRMask(address.Bits(), 32)}
	if err := netlink.AddrAdd(found, &netlink.Addr{IPNet: ip}); err != nil {
		return fmt.Errorf("give %q the address %s: %w", name, address, err)
	}
	if err := netlink.LinkSetUp(found); err != nil {
		return fmt.Errorf("set up the link %q: %w", name, err)
	}
	return nil
}
