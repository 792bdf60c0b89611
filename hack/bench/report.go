// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// verdict is how a measurement fares beside its budget.
type verdict string

const (
	within verdict = "ok"
	over   verdict = "over budget"
	failed verdict = "FAILED"
)

// row is one line of the table: what was measured, what it may be, what KubeRay
// needed for it on the machine that the budgets were set on, and what we need.
type row struct {
	what, budget, kuberay, ours string
	verdict                     verdict
}

const none = "-"

// duration is a row that depends on the machine, so that it fails nothing.
func duration(what string, budget time.Duration, kuberay string, ours time.Duration) row {
	return row{what: what, budget: "≤ " + seconds(budget), kuberay: kuberay, ours: seconds(ours), verdict: atMost(ours, budget)}
}

// amount is a row in units of its own that depends on the machine.
func amount(what, unit string, budget float64, kuberay string, ours float64) row {
	return row{
		what: what, budget: fmt.Sprintf("≤ %.0f %s", budget, unit), kuberay: kuberay,
		ours: fmt.Sprintf("%.1f %s", ours, unit), verdict: atMost(ours, budget),
	}
}

func atMost[T time.Duration | float64](ours, budget T) verdict {
	if ours > budget {
		return over
	}
	return within
}

// ratio compares the operator's rate with that of a bare client in the same run,
// which a slow machine slows as well. Below the floor it fails.
func ratio(what string, floor float64, ours, bare rate) row {
	share := ours.perSecond() / bare.perSecond()
	r := row{
		what: what, budget: fmt.Sprintf("≥ %.0f %%", floor*100), kuberay: none, verdict: within,
		ours: fmt.Sprintf("%.0f %% (%.0f of %.0f pods/s)", share*100, ours.perSecond(), bare.perSecond()),
	}
	// Nothing measured is no success.
	if !(share >= floor) || bare.perSecond() <= 0 {
		r.verdict = failed
	}
	return r
}

// rate is how many pods were created in a time.
type rate struct {
	pods int
	took time.Duration
}

func (r rate) perSecond() float64 { return float64(r.pods) / r.took.Seconds() }

// writesAtRest fails unless there were none.
func writesAtRest(what, kuberay string, writes int) row {
	r := row{what: what, budget: "0", kuberay: kuberay, ours: fmt.Sprint(writes), verdict: within}
	if writes != 0 {
		r.verdict = failed
	}
	return r
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// write puts out the rows as a table for a terminal, and returns how many failed.
func write(out io.Writer, rows []row) int {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\tbudget\tKubeRay\tours\t")
	count := 0
	for _, r := range rows {
		fmt.Fprintln(table, strings.Join([]string{r.what, r.budget, r.kuberay, r.ours, string(r.verdict)}, "\t"))
		if r.verdict == failed {
			count++
		}
	}
	_ = table.Flush()
	return count
}
