// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes_test

import (
	"testing"
	"time"

	"github.com/xflops/flame-operator/internal/flame/action"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/nodes"
	"github.com/xflops/flame-operator/internal/podstate"
	"github.com/xflops/flame-operator/test/scenario"
)

// incident is what there was, verdict a plan that people can read.
type incident struct {
	Now            time.Time               `json:"now"`
	Silent         bool                    `json:"silent"`
	GraceSeconds   int                     `json:"graceSeconds"`
	SessionManager podstate.Pod            `json:"sessionManager"`
	StateSince     time.Time               `json:"stateSince"`
	Observation    observation.Observation `json:"observation"`
	Track          observation.Track       `json:"track"`
	Pods           []podstate.Pod          `json:"pods"`
	Gone           []nodes.Gone            `json:"gone"`
}

type verdict struct {
	Fence       []string        `json:"fence,omitempty"`
	FenceSilent []string        `json:"fenceSilent,omitempty"`
	Clear       []string        `json:"clear,omitempty"`
	Challenge   []string        `json:"challenge,omitempty"`
	Release     []string        `json:"release,omitempty"`
	Resync      []string        `json:"resync,omitempty"`
	Unbind      []string        `json:"unbind,omitempty"`
	Gates       map[string]bool `json:"gates,omitempty"`
	Lost        []string        `json:"lost,omitempty"`
	Urgent      bool            `json:"urgent"`
	After       string          `json:"after,omitempty"`
}

func TestIncidents(t *testing.T) {
	scenario.Each(t, 6, func(i incident) any {
		plan := nodes.Decide(nodes.Input{
			Latest: observation.Latest{Observation: &i.Observation, Track: i.Track}, Recent: !i.Silent,
			Pods: i.Pods, Gone: i.Gone, SessionManager: i.SessionManager, StateSince: i.StateSince, Grace: time.Duration(i.GraceSeconds) * time.Second,
		}, i.Now)
		v := verdict{Gates: plan.Gates, Urgent: plan.Urgent}
		lists := map[action.Verb]*[]string{
			action.Fence: &v.Fence, action.FenceSilent: &v.FenceSilent, action.Clear: &v.Clear, action.Challenge: &v.Challenge,
			action.Release: &v.Release, action.Resync: &v.Resync, action.Unbind: &v.Unbind,
		}
		for _, a := range plan.Actions {
			*lists[a.Verb] = append(*lists[a.Verb], a.Target)
		}
		for _, loss := range plan.Lost {
			told := loss.Pod + ": " + string(loss.Reason) + " since " + loss.Since.Format(time.TimeOnly)
			if loss.Useless {
				told += ", useless"
			}
			v.Lost = append(v.Lost, told)
		}
		if plan.After > 0 {
			v.After = plan.After.String()
		}
		return v
	})
}
