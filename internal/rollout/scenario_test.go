// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/xflops/flame-operator/internal/rollout"
	"github.com/xflops/flame-operator/test/scenario"
)

// incident is the situation, and verdict is a plan in a form that people can read.
type incident struct {
	Now    time.Time                 `json:"now"`
	Policy rollout.Policy            `json:"policy"`
	Pods   []rollout.ExecutorManager `json:"pods"`
}

type verdict struct {
	Create []string `json:"create,omitempty"`
	Delete []string `json:"delete,omitempty"`
	Cordon []string `json:"cordon,omitempty"`
	Wait   []string `json:"wait,omitempty"`
}

func TestIncidents(t *testing.T) {
	scenario.Each(t, 5, func(i incident) any {
		plan := rollout.Decide(i.Pods, i.Policy, i.Now)
		v := verdict{Cordon: plan.Cordon}
		for _, failures := range plan.Create {
			v.Create = append(v.Create, fmt.Sprintf("after %d failures", failures))
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
