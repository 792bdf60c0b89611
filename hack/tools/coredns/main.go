// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Coredns is CoreDNS with the plugins that cluster DNS needs and no others.
// The full one brings the SDKs of three clouds along, which takes minutes to build.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

func main() {
	// CoreDNS calls the plugins in this order, whatever the Corefile says.
	dnsserver.Directives = []string{
		"health", "ready", "errors", "loadbalance", "template", "kubernetes",
	}
	coremain.Run()
}
