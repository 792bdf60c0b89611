// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"cmp"
	"slices"
	"time"

	"github.com/xflops/flame-operator/internal/autoscale"
	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
)

// Sample is how things are at the end of a second.
type Sample struct {
	// Second counts from the start.
	Second           int
	Pending, Running int
	// Desired is what was decided last, and Needed is what that decision found to be
	// needed.
	Desired, Needed int
	// Pods counts those that have not been told to end. Ready of them are connected, and
	// Busy of them hold an executor of a session.
	Pods, Ready, Busy int
	Reason            autoscale.Reason
	Silent            bool
}

// Result is what came of a script.
type Result struct {
	Samples []Sample
	// Finished counts the tasks that ran to their end, and Repeated those that had to run
	// again because their executor manager was lost.
	Finished, Repeated int
	// LastMessage is the message of the last decision.
	LastMessage string
}

// start is the time at which every simulation starts.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Run plays a script. The function watch, unless nil, sees every decision with its input.
func Run(script Script, watch func(autoscale.Input, autoscale.Decision)) (Result, error) {
	if err := script.Validate(); err != nil {
		return Result{}, err
	}
	w := &world{cluster: script.Cluster.withDefaults(), watch: watch}
	events := slices.Clone(script.Events)
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	for w.second = range script.Duration.Seconds() + 1 {
		for len(events) > 0 && events[0].At.Seconds() <= w.second {
			w.happen(events[0])
			events = events[1:]
		}
		w.runPods()
		w.runTasks()
		w.schedule()
		if w.second%max(1, w.cluster.Poll.Seconds()) == 0 {
			w.operate()
		}
		w.result.Samples = append(w.result.Samples, w.sample())
	}
	w.result.LastMessage = w.decision.Message
	return w.result, nil
}

// world is the state of a simulation.
type world struct {
	cluster  Cluster
	watch    func(autoscale.Input, autoscale.Decision)
	second   int
	sessions []*session
	pods     []*pod
	named    int
	// turn scatters executors over pods, as Flame does.
	turn        int
	silentUntil int
	memory      *autoscale.Memory
	decision    autoscale.Decision
	result      Result
}

func (w *world) happen(e Event) {
	if e.Session != "" {
		w.change(e)
	}
	if e.Silent > 0 {
		w.silentUntil = max(w.silentUntil, w.second+e.Silent.Seconds())
	}
	if e.MinReplicas != nil {
		w.cluster.MinReplicas = *e.MinReplicas
	}
	if e.MaxReplicas != nil {
		w.cluster.MaxReplicas = *e.MaxReplicas
	}
	w.lose(e.Lose)
}

func (w *world) now() time.Time { return start.Add(time.Duration(w.second) * time.Second) }

func (w *world) silent() bool { return w.second < w.silentUntil }

// operate looks at Flame, decides, and carries out the decision.
func (w *world) operate() {
	in := w.input()
	w.decision = autoscale.Decide(in)
	if w.watch != nil {
		w.watch(in, w.decision)
	}
	w.memory = &w.decision.Memory
	w.resize(w.decision.Desired)
}

func (w *world) input() autoscale.Input {
	c := w.cluster
	policy := autoscale.Priority
	if c.Policy == string(autoscale.DRF) {
		policy = autoscale.DRF
	}
	in := autoscale.Input{
		Flame: autoscale.Flame{
			Policy: policy, Gang: w.gang(),
			Slot: observation.Resources{CPU: 1}, Shape: observation.Resources{CPU: int64(c.CPUs)},
		},
		Bounds: autoscale.Bounds{
			Min: c.MinReplicas, Max: c.MaxReplicas, MaxStarting: c.MaxStarting,
			Delay: time.Duration(*c.ScaleDownDelaySeconds) * time.Second,
		},
		Start: c.Replicas, Previous: w.memory, Now: w.now(),
	}
	for _, p := range w.pods {
		if !p.ending {
			in.Pods = append(in.Pods, podstate.Pod{Name: p.name, Ready: p.ready(w.second)})
		}
	}
	if !w.silent() {
		in.Observation = w.observe()
	}
	return in
}

// observe returns what Flame says, without closed sessions that have no task.
func (w *world) observe() *observation.Observation {
	o := &observation.Observation{At: w.now()}
	for _, s := range w.sessions {
		if s.closed {
			continue
		}
		seen := observation.Session{
			ID: s.id, Open: true, Priority: s.priority, CreatedAt: start.Add(time.Duration(s.created) * time.Second),
			Pending: len(s.pending), Running: s.running,
			MinInstances: s.minInstances, MaxInstances: s.maxInstances, BatchSize: s.batch,
			Resreq: &observation.Resources{CPU: int64(s.cpus)},
		}
		if s.blocked {
			seen.BlockedAt = start
		}
		o.Sessions = append(o.Sessions, seen)
	}
	for _, p := range w.pods {
		if p.ready(w.second) {
			o.Nodes = append(o.Nodes, observation.Node{Name: p.name, State: observation.Ready, Allocatable: observation.Resources{CPU: int64(p.cpus)}})
		}
		for _, e := range p.executors {
			o.Executors = append(o.Executors, observation.Executor{
				Node: p.name, State: observation.Bound, Session: e.session.id, Resreq: observation.Resources{CPU: int64(e.session.cpus)},
			})
		}
	}
	return o
}

func (w *world) sample() Sample {
	s := Sample{
		Second: w.second, Desired: w.decision.Desired, Needed: w.decision.Memory.Needed,
		Reason: w.decision.Reason, Silent: w.silent(),
	}
	for _, ssn := range w.sessions {
		s.Pending += len(ssn.pending)
		s.Running += ssn.running
	}
	for _, p := range w.pods {
		if p.ending {
			continue
		}
		s.Pods++
		if p.ready(w.second) {
			s.Ready++
		}
		if len(p.executors) > 0 {
			s.Busy++
		}
	}
	return s
}
