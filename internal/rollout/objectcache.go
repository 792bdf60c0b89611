// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"slices"
	"strings"

	"github.com/xflops/flame-operator/internal/podstate"
)

// ReplaceObjectCache returns the name of the pod to delete, so that its StatefulSet makes
// it anew with the wanted hash, and an empty name if no pod has to be deleted now.
//
// A new pod has a new address, and every reference to an object that a client holds
// carries the old address. So pods are replaced only if the user asked for something
// else, one at a time, and pods that do not work before pods that do.
//
// Flame workaround: cache-on-delete
func ReplaceObjectCache(pods []podstate.Pod, hash string) string {
	pods = slices.Clone(pods)
	slices.SortFunc(pods, func(a, b podstate.Pod) int { return strings.Compare(a.Name, b.Name) })
	outdated := func(p podstate.Pod) bool { return p.Hash != hash && !p.Terminating }
	if i := slices.IndexFunc(pods, func(p podstate.Pod) bool { return outdated(p) && !p.Ready }); i >= 0 {
		return pods[i].Name
	}
	if slices.ContainsFunc(pods, func(p podstate.Pod) bool { return !p.Ready }) {
		return ""
	}
	if i := slices.IndexFunc(pods, outdated); i >= 0 {
		return pods[i].Name
	}
	return ""
}
