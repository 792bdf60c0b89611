// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package executors_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/xflops/flame-operator/internal/executors"
	"github.com/xflops/flame-operator/test/scenario"
)

// incident is what there was, verdict a plan that people can read.
type incident struct {
	Now    time.Time        `json:"now"`
	Policy executors.Policy `json:"policy"`
	Pods   []executors.Pod  `json:"pods"`
}

type verdict struct {
	Create []string `json:"create,omitempty"`
	Delete []string `json:"delete,omitempty"`
	Cordon []string `json:"cordon,omitempty"`
	Wait   []string `json:"wait,omitempty"`
}

func TestIncidents(t *testing.T) {
	scenario.Each(t, 5, func(i incident) any {
		plan := executors.Decide(i.Pods, i.Policy, i.Now)
		v := verdict{Cordon: plan.Cordon}
		for _, c := range plan.Create {
			v.Create = append(v.Create, fmt.Sprintf("after %d failures", c.Failures))
		}
		for _, d := range plan.Delete {
			told := d.Name + ": " + string(d.Reason)
			if d.Now {
				told += ", now"
			}
			v.Delete = append(v.Delete, told)
		}
		for _, w := range plan.Wait {
			told := fmt.Sprintf("%s: %d", w.Reason, w.Count)
			if w.For > 0 {
				told += " for " + w.For.String()
			}
			v.Wait = append(v.Wait, told)
		}
		return v
	})
}
