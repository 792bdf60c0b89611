// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
)

// mostStrangers is how many strangers are looked after at a time. The server is asked for
// each, and a session manager may list any number of them.
const mostStrangers = 1000

// suffix is what the name of a pod may end with.
var suffix = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)

// Strangers returns the names that Flame knows, that start with a prefix and that no pod
// has although a pod could have them. For each stranger it has to be proven whether its
// process lives; when there are very many, the first come first.
func Strangers(latest observation.Latest, prefix string, pods []podstate.Pod) []string {
	if !latest.Known() {
		return nil
	}
	known := make(map[string]bool, len(pods))
	for _, pod := range pods {
		known[pod.Name] = true
	}
	names := map[string]bool{}
	add := func(name string) {
		if rest, ours := strings.CutPrefix(name, prefix); ours && !known[name] && suffix.MatchString(rest) {
			names[name] = true
		}
	}
	for _, node := range latest.Observation.Nodes {
		add(node.Name)
	}
	for _, executor := range latest.Observation.Executors {
		add(executor.Node)
	}
	sorted := slices.Sorted(maps.Keys(names))
	return sorted[:min(len(sorted), mostStrangers)]
}

// Absences holds, by name, what is remembered of each stranger and of each pod that will
// be a stranger when it is gone. After that these facts cannot be read anywhere else.
type Absences map[string]absence

type absence struct {
	// since is the time at which the server first had no pod of the name.
	since time.Time
	// ended says that the kubelet has reported the end of the process.
	ended bool
	// deletedAt is the time at which the pod was deleted with time to drain.
	deletedAt time.Time
}

// Doubtful returns the strangers for which the server has to be asked whether it has a
// pod, since a cache may lag and labels may be stripped. A stranger whose pod was seen to
// have ended is not doubtful, because that proof stands for good.
func (a Absences) Doubtful(strangers []string) []string {
	return slices.DeleteFunc(slices.Clone(strangers), func(name string) bool { return a[name].ended })
}

// Prove returns what is known of the strangers, and what is to be remembered from now on.
// The pods in found are those that the server has under the strangers' names. A pod that
// was seen to drain is remembered, since it may go on with its drain when it is
// force-deleted.
func (a Absences) Prove(pods []podstate.Pod, strangers []string, found map[string]podstate.Pod, now time.Time) ([]Gone, Absences) {
	after := Absences{}
	for _, pod := range pods {
		if pod.Ended {
			after[pod.Name] = absence{ended: true}
		} else if pod.GraceGiven {
			after[pod.Name] = absence{deletedAt: pod.DeletedAt}
		}
	}
	gone := make([]Gone, 0, len(strangers))
	for _, name := range strangers {
		known := a[name]
		fact := Gone{Name: name, Process: Absent, Since: known.since, DeletedAt: known.deletedAt}
		if fact.Since.IsZero() {
			fact.Since = now
		}
		pod, exists := found[name]
		switch {
		case known.ended || exists && pod.Ended:
			fact.Process = Ended
		case exists:
			fact.Process = Alive
		}
		if fact.Process != Alive {
			after[name] = absence{since: fact.Since, ended: fact.Process == Ended, deletedAt: fact.DeletedAt}
		}
		gone = append(gone, fact)
	}
	return gone, after
}
