// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package host knows the name of the host, which is the name of its node.
package host

import "os"

// Variable names the host for tests, which have only one.
const Variable = "STANDIN_HOSTNAME"

// Name returns the host's name.
func Name() string {
	if name := os.Getenv(Variable); name != "" {
		return name
	}
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}
