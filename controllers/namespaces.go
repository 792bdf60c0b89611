// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import "strings"

// WatchNamespaces returns the namespaces in a comma-separated list, as the Operator
// Lifecycle Manager writes it. An empty result means all namespaces.
func WatchNamespaces(list string) []string {
	var namespaces []string
	for namespace := range strings.SplitSeq(list, ",") {
		if namespace = strings.TrimSpace(namespace); namespace != "" {
			namespaces = append(namespaces, namespace)
		}
	}
	return namespaces
}
