// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flametest

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

// Call is a call of the backend that was answered.
type Call struct {
	// Verb is the name of the method.
	Verb string
	// Name is the node or the executor.
	Name string
	// Allocatable is what a node that registers has to give.
	Allocatable observation.Resources
	// Executors are the IDs of the executors that a node registers with.
	Executors []string
}

// Server is a fake session manager.
type Server struct {
	mu       sync.Mutex
	state    observation.Observation
	lost     map[string][]int64
	calls    []Call
	counts   map[string]int
	inFlight int
	peak     int

	// err, if any, is the answer to every call; delay is how long each call takes; released
	// is closed when calls need no longer hang.
	err      error
	delay    time.Duration
	released chan struct{}
	// drains is how long the end of a node's stream goes unnoticed.
	drains time.Duration
	// before runs before a call takes effect.
	before func(verb string)
	// intercept stands between a call of the backend and its effect.
	intercept func(call Call, effect func() error) error
}

func newServer() *Server {
	released := make(chan struct{})
	close(released)
	return &Server{lost: map[string][]int64{}, counts: map[string]int{}, released: released}
}

// Set lets the server list other sessions, executors and nodes.
func (s *Server) Set(o observation.Observation) {
	s.Change(func(now *observation.Observation) { *now = o })
}

// Change changes what the server lists.
func (s *Server) Change(change func(*observation.Observation)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.state)
}

// State returns what the server lists.
func (s *Server) State() observation.Observation {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.state
	o.Sessions, o.Executors, o.Nodes = slices.Clone(o.Sessions), slices.Clone(o.Executors), slices.Clone(o.Nodes)
	return o
}

// LoseTasks gives a session tasks that are pending and not counted, as left by an executor
// that was unbound while it waited. The session has lost no others.
func (s *Server) LoseTasks(session string, ids ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost[session] = ids
}

// GiveUp does what Flame does 30 s after a node began to drain: the executors of the node
// go, their tasks are pending again, and the node is NotReady. A node that came back
// meanwhile keeps everything.
func (s *Server) GiveUp(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.node(node)
	if i < 0 || s.state.Nodes[i].State != observation.Unknown {
		return
	}
	s.state.Nodes[i].State = observation.NotReady
	for _, e := range s.state.Executors {
		for j := range s.state.Sessions {
			if ssn := &s.state.Sessions[j]; e.Node == node && ssn.ID == e.Session && ssn.Running > 0 {
				ssn.Running--
				ssn.Pending++
			}
		}
	}
	s.state.Executors = slices.DeleteFunc(slices.Clone(s.state.Executors), func(e observation.Executor) bool { return e.Node == node })
}

// Fail lets every call answer with an error, a gRPC status.
func (s *Server) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Slow lets every call take a time.
func (s *Server) Slow(delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = delay
}

// NoticeLate lets the end of a node's stream go unnoticed for a time.
func (s *Server) NoticeLate(delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drains = delay
}

// Hang lets no call end before its caller gives up or Answer is called.
func (s *Server) Hang() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.released = make(chan struct{})
}

// Answer lets every call succeed again, those that hang too.
func (s *Server) Answer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.delay = nil, 0
	select {
	case <-s.released:
	default:
		close(s.released)
	}
}

// BeforeCall has a function run before each call takes effect, for what happens at the
// worst moment. The function may change the server.
func (s *Server) BeforeCall(f func(verb string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// Intercept has a function stand between each call of the backend and its effect. The
// function may leave out the effect, or hide how it went: the caller is told what the
// function returns. In WatchNode the call is the node's heartbeat.
func (s *Server) Intercept(f func(call Call, effect func() error) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

// Calls returns the calls of the backend that were answered, in order.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Observed returns how often sessions were listed, or would have been.
func (s *Server) Observed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts["ListSession"]
}

// TaskLists returns how often the tasks of a session were listed.
func (s *Server) TaskLists() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts["ListTask"]
}

// Peak returns how many calls there were at the same time, at most.
func (s *Server) Peak() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peak
}

// admit is what every call goes through first.
func (s *Server) admit(ctx context.Context) (leave func(), err error) {
	s.mu.Lock()
	s.inFlight++
	s.peak = max(s.peak, s.inFlight)
	err, delay, released := s.err, s.delay, s.released
	s.mu.Unlock()
	leave = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.inFlight--
	}
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return leave, ctx.Err()
	}
	select {
	case <-released:
	case <-ctx.Done():
		return leave, ctx.Err()
	}
	return leave, err
}

func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	s.note(info.FullMethod)
	leave, err := s.admit(ctx)
	defer leave()
	if err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

func (s *Server) stream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	s.note(info.FullMethod)
	leave, err := s.admit(stream.Context())
	defer leave()
	if err != nil {
		return err
	}
	return handler(service, stream)
}
