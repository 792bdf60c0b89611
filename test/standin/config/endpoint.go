// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net/url"
	"strconv"
)

// DefaultPort is the frontend's port when the endpoint names none.
const DefaultPort = 8080

// schemePorts are dropped by the URL parser that Flame uses, so that asking for
// one of them gives Flame's own default.
var schemePorts = map[string]string{"http": "80", "https": "443"}

// Endpoint splits a URL into scheme, host and port as Flame does.
func Endpoint(endpoint string, defaultPort int) (scheme, host string, port int, err error) {
	parsed, err := url.Parse(endpoint)
	if err != nil || parsed.Scheme == "" || parsed.Hostname() == "" {
		return "", "", 0, fmt.Errorf("InvalidConfig(%q)", fmt.Sprintf("invalid endpoint <%s>", endpoint))
	}
	port = defaultPort
	if text := parsed.Port(); text != "" && text != schemePorts[parsed.Scheme] {
		if port, err = strconv.Atoi(text); err != nil || port > 65535 {
			return "", "", 0, fmt.Errorf("InvalidConfig(%q)", fmt.Sprintf("invalid endpoint <%s>", endpoint))
		}
	}
	return parsed.Scheme, parsed.Hostname(), port, nil
}
