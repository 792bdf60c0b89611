// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/live"
)

const (
	// feeders is how many sessions are open at once.
	feeders = 3
	// sessionTasks come into each session, so many at a time.
	sessionTasks, burst = 30, 10
	// Each takes from 2 to 3 seconds.
	shortest, longest = 2000, 3000
	// aMoment is the pause between two calls, and oneCall how long one may take.
	aMoment, oneCall = time.Second, 15 * time.Second
)

// load is clients that open one session after the other, bring it tasks in bursts,
// and close it when all have succeeded. They live through the session manager's
// end: what may have been lost is looked up and done again.
type load struct {
	api  live.Flame
	done sync.WaitGroup

	mu       sync.Mutex
	sessions []string
	planned  int
	ending   bool
	failures []error
}

func startLoad(t *testing.T, api live.Flame, seed uint64) *load {
	l := &load{api: api}
	for i := range feeders {
		random := rand.New(rand.NewPCG(seed, uint64(10+i)))
		l.done.Go(func() { l.feed(t.Context(), random) })
	}
	t.Cleanup(l.done.Wait)
	return l
}

// end lets no more sessions be opened, and waits until all tasks have succeeded.
func (l *load) end(t *testing.T, chaos *chaos) {
	t.Helper()
	l.mu.Lock()
	l.ending = true
	l.mu.Unlock()
	start := time.Now()
	done := make(chan struct{})
	go func() { l.done.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(longPatience):
		require.FailNowf(t, "not within "+longPatience.String()+": all tasks succeed", "left are:\n%s", l.unfinished(t.Context(), chaos.killed()))
	}
	require.NoError(t, errors.Join(l.failures...))
	t.Logf("%6.1fs  all %d tasks of %d sessions succeed", time.Since(start).Seconds(), l.planned, len(l.sessions))
}

func (l *load) feed(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		id, more := l.next()
		if !more {
			return
		}
		if err := l.session(ctx, id, random); err != nil {
			l.mu.Lock()
			l.failures = append(l.failures, fmt.Errorf("session %s: %w", id, err))
			l.mu.Unlock()
			return
		}
	}
}

// next names the next session, if more work is wanted.
func (l *load) next() (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending && l.planned >= proofTasks {
		return "", false
	}
	id := fmt.Sprintf("load-%02d", len(l.sessions)+1)
	l.sessions = append(l.sessions, id)
	l.planned += sessionTasks
	return id, true
}

func (l *load) session(ctx context.Context, id string, random *rand.Rand) error {
	err := persist(ctx, func(ctx context.Context) error {
		_, err := l.api.OpenSession(ctx, &flamev1.OpenSessionRequest{
			SessionId: id, Session: &flamev1.SessionSpec{Application: "flmping", BatchSize: 1},
		})
		return err
	})
	for n := burst; err == nil && n <= sessionTasks; n += burst {
		err = persist(ctx, func(ctx context.Context) error { return l.fill(ctx, id, n, random) })
		pause(ctx, time.Second, 4*time.Second, random)
	}
	if err != nil {
		return err
	}
	if err := persist(ctx, func(ctx context.Context) error { return l.api.HaveSucceeded(ctx, id, sessionTasks) }); err != nil {
		return err
	}
	return persist(ctx, func(ctx context.Context) error { return l.close(ctx, id) })
}

// fill brings a session tasks until it has n. It counts first: a call that failed
// may have been heard.
func (l *load) fill(ctx context.Context, id string, n int, random *rand.Rand) error {
	counts, err := l.api.Tasks(ctx, id)
	if err != nil {
		return err
	}
	for _, count := range counts {
		n -= count
	}
	for range n {
		if err := l.api.Submit(ctx, id, shortest+random.IntN(longest-shortest)); err != nil {
			return err
		}
	}
	return nil
}

// close closes a session, or finds that it was closed by a call that failed.
func (l *load) close(ctx context.Context, id string) error {
	if session, err := l.api.GetSession(ctx, &flamev1.GetSessionRequest{SessionId: id}); err != nil ||
		session.GetStatus().GetState() == flamev1.SessionState_SESSION_STATE_CLOSED {
		return err
	}
	_, err := l.api.CloseSession(ctx, &flamev1.CloseSessionRequest{SessionId: id})
	return err
}

// left is the number of tasks that wait or run.
func (l *load) left(ctx context.Context) (int, error) {
	list, err := l.api.ListSession(ctx, &flamev1.ListSessionRequest{})
	left := 0
	for _, session := range list.GetSessions() {
		left += int(session.GetStatus().GetPending() + session.GetStatus().GetRunning())
	}
	return left, err
}

// histories are the tasks of all sessions.
func (l *load) histories(ctx context.Context) ([]live.Task, error) {
	l.mu.Lock()
	sessions := l.sessions
	l.mu.Unlock()
	var all []live.Task
	for _, session := range sessions {
		tasks, err := l.api.History(ctx, session)
		if err != nil {
			return nil, fmt.Errorf("tasks of session %s: %w", session, err)
		}
		all = append(all, tasks...)
	}
	return all, nil
}

// unfinished tells all of the tasks that have not succeeded, and what the sessions
// say: a task that is lost from Flame's queue is pending and in no count.
func (l *load) unfinished(ctx context.Context, kills map[string]live.Kill) string {
	var out strings.Builder
	list, err := l.api.ListSession(ctx, &flamev1.ListSessionRequest{})
	fmt.Fprintln(&out, "sessions, error:", err)
	for _, session := range list.GetSessions() {
		s := session.GetStatus()
		fmt.Fprintf(&out, "  %s: %s, pending %d, running %d, succeeded %d, failed %d\n", session.GetMetadata().GetId(),
			s.GetState(), s.GetPending(), s.GetRunning(), s.GetSucceed(), s.GetFailed())
	}
	tasks, err := l.histories(ctx)
	fmt.Fprintln(&out, "tasks, error:", err)
	for _, task := range tasks {
		if task.State != flamev1.TaskState_TASK_STATE_SUCCEED {
			fmt.Fprintf(&out, "  %s\n", historyOf(task, kills))
		}
	}
	return out.String()
}

// persist repeats a call until it succeeds. What can never succeed fails at once.
func persist(ctx context.Context, call func(ctx context.Context) error) error {
	for {
		one, cancel := context.WithTimeout(ctx, oneCall)
		err := call(one)
		cancel()
		if err == nil || status.Code(err) == codes.NotFound {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(aMoment):
		}
	}
}

// pause waits for a random time.
func pause(ctx context.Context, least, most time.Duration, random *rand.Rand) {
	select {
	case <-ctx.Done():
	case <-time.After(least + time.Duration(random.Int64N(int64(most-least)))):
	}
}
