// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package simulator plays a load against autoscaling: a model of Flame's scheduler, of pods
// that take time to start, and of the operator that looks now and then, second by second.
// The simulator is pure and gives the same answer to the same script.
//
// The model of Flame is written from what Flame does, not from what package autoscale makes
// of it, so that one can be held against the other. The model knows order, batches, bounds
// and shares of sessions, executors that wait for the next task, and scattered placement.
// Memory, failures to start, and the drain of a lost executor manager beyond its 30 seconds
// are left out.
package simulator

import (
	"encoding/json"
	"fmt"
	"time"
)

// Script is a load, and the cluster that it meets.
type Script struct {
	Title    string   `json:"title"`
	Duration Duration `json:"duration"`
	Cluster  Cluster  `json:"cluster"`
	Events   []Event  `json:"events"`
}

// Cluster is what the FlameCluster says, and how fast things are.
type Cluster struct {
	Replicas              int  `json:"replicas"`
	MinReplicas           int  `json:"minReplicas"`
	MaxReplicas           int  `json:"maxReplicas"`
	ScaleDownDelaySeconds *int `json:"scaleDownDelaySeconds"`
	MaxStarting           int  `json:"maxStarting"`
	// Policy is priority, the default, or drf.
	Policy string `json:"policy"`
	// FlameVersion is 0.6.0, the default, or a later one.
	FlameVersion string `json:"flameVersion"`
	// CPUs is how many CPUs an executor manager has; the slot is one CPU.
	CPUs int `json:"cpus"`
	// PodStart is the time from a pod's creation to its being ready, 20s by default.
	PodStart Duration `json:"podStart"`
	// Poll is the time between two looks at Flame, 10s by default.
	Poll Duration `json:"poll"`
	// DelayRelease is how long an executor waits for its session's next task, 60s by default.
	DelayRelease Duration `json:"delayRelease"`
}

// Event is what happens at a time. Each part may be left out.
type Event struct {
	At Duration `json:"at"`
	// Session is opened by the first event that names it; the fields below it say how.
	Session      string `json:"session"`
	Priority     int    `json:"priority"`
	MinInstances int    `json:"minInstances"`
	MaxInstances *int   `json:"maxInstances"`
	BatchSize    int    `json:"batchSize"`
	CPUs         int    `json:"cpus"`
	// Tasks are added to the session. Each of them takes Each, 10s by default.
	Tasks int      `json:"tasks"`
	Each  Duration `json:"each"`
	// Close ends the session: its waiting tasks are dropped, its executors vanish.
	Close bool `json:"close"`
	// Block has the session reach the retry limit.
	Block bool `json:"block"`

	// Silent has Flame say nothing for a time.
	Silent Duration `json:"silent"`
	// Lose kills this many executor managers, busy ones first.
	Lose int `json:"lose"`
	// MinReplicas and MaxReplicas change the bounds.
	MinReplicas *int `json:"minReplicas"`
	MaxReplicas *int `json:"maxReplicas"`
}

// Duration is a time.Duration that reads as 1m30s.
type Duration time.Duration

// UnmarshalJSON reads a duration as time.ParseDuration does.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("%s is no duration: write it as \"1m30s\"", data)
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is no duration: write it as 1m30s", text)
	}
	*d = Duration(parsed)
	return nil
}

// Seconds returns whole seconds.
func (d Duration) Seconds() int { return int(time.Duration(d) / time.Second) }

// Validate returns an error that says what a script lacks.
func (s *Script) Validate() error {
	if s.Duration.Seconds() < 1 {
		return fmt.Errorf("duration is missing: for how long to play the load, such as 30m")
	}
	if s.Cluster.MaxReplicas < 1 || s.Cluster.MinReplicas > s.Cluster.MaxReplicas {
		return fmt.Errorf("cluster.maxReplicas must be at least 1 and at least minReplicas")
	}
	opened := map[string]bool{}
	for i, e := range s.Events {
		if e.Session == "" && (e.Tasks > 0 || e.Close || e.Block) {
			return fmt.Errorf("events[%d] names no session", i)
		}
		if e.Close && !opened[e.Session] {
			return fmt.Errorf("events[%d] closes session %q, which no event before it opens", i, e.Session)
		}
		opened[e.Session] = true
	}
	return nil
}

// withDefaults fills in what a script leaves out.
func (c Cluster) withDefaults() Cluster {
	if c.ScaleDownDelaySeconds == nil {
		delay := 120
		c.ScaleDownDelaySeconds = &delay
	}
	c.CPUs = max(1, c.CPUs)
	for field, standard := range map[*Duration]time.Duration{
		&c.PodStart: 20 * time.Second, &c.Poll: 10 * time.Second, &c.DelayRelease: time.Minute,
	} {
		if *field == 0 {
			*field = Duration(standard)
		}
	}
	return c
}
