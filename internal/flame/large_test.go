// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// large is a session whose list is larger than small.
func large(id string) *flamev1.Session {
	return &flamev1.Session{Metadata: &flamev1.Metadata{Id: id, Name: id}, Spec: &flamev1.SessionSpec{CommonData: make([]byte, 3*mebi)}}
}

// grows answers with a list of sessions that can be exchanged, and counts how often.
type grows struct {
	list  atomic.Pointer[[]byte]
	asked atomic.Int64
}

func (g *grows) set(list []byte) { g.list.Store(&list) }

func (g *grows) answer(method string, stream grpc.ServerStream) error {
	if method != "ListSession" {
		return stream.SendMsg([]byte{})
	}
	g.asked.Add(1)
	return stream.SendMsg(*g.list.Load())
}

func TestClusterWithLargeAnswersIsAskedTwiceOnlyOnce(t *testing.T) {
	w := newWorld(t)
	server := &grows{}
	server.set(sessionList(t, large("s")))
	w.network.ServeRaw(server.answer, "c")
	require.NoError(t, w.Ensure(named("c"), target("c")))
	w.eventually(func() bool { return w.Latest(named("c")).Known() }, "it is heard")
	assert.EqualValues(t, 2, server.asked.Load(), "as if it were small, and with more room")
	assert.NoError(t, w.Latest(named("c")).Err)

	w.after(11 * time.Second)
	assert.EqualValues(t, 3, server.asked.Load(), "with as much room as it needed last")
	server.set(sessionList(t, large("s"), large("t")))
	w.after(11 * time.Second)
	assert.Len(t, w.Latest(named("c")).Observation.Sessions, 2)
	assert.EqualValues(t, 5, server.asked.Load(), "it has grown")
	server.set(nil)
	w.after(11 * time.Second)
	w.after(11 * time.Second)
	assert.EqualValues(t, 7, server.asked.Load(), "it is small again")
}

func TestClusterWhoseAnswersAreTooLargeKeepsItsLastWord(t *testing.T) {
	w := newWorld(t)
	server := &grows{}
	server.set(sessionList(t, &flamev1.Session{Metadata: &flamev1.Metadata{Id: "s", Name: "s"}}))
	w.network.ServeRaw(server.answer, "c")
	require.NoError(t, w.Ensure(named("c"), target("c")))
	w.eventually(func() bool { return w.Latest(named("c")).Known() }, "it is heard")
	before := w.Latest(named("c")).Observation

	server.set(make([]byte, 33*mebi))
	w.after(11 * time.Second)
	latest := w.Latest(named("c"))
	require.ErrorIs(t, latest.Err, observation.ErrTooLarge)
	assert.ErrorContains(t, latest.Err, "its list of sessions has 33 MiB, of 32 MiB at most; lower sessionManager.maxSessions, or keep less common data in sessions")
	assert.Same(t, before, latest.Observation)
	assert.Equal(t, noon.Add(11*time.Second), latest.FailingSince)
	assert.False(t, latest.Fresh(w.clock.Now(), time.Hour), "nothing is deleted by it")
	w.eventually(func() bool { return w.wakes("c") == 2 }, "it is told")
	assert.EqualValues(t, 2, server.asked.Load(), "and not asked again at once")

	server.set(sessionList(t, large("s")))
	w.after(24 * time.Second)
	assert.NoError(t, w.Latest(named("c")).Err)
}

func TestVerbsAreCarriedOutWhereAnswersAreLarge(t *testing.T) {
	session, s := large("s"), "s"
	session.Status = &flamev1.SessionStatus{Running: 1}
	executors := wire(t, &flamev1.ExecutorList{Executors: []*flamev1.Executor{{
		Metadata: &flamev1.Metadata{Id: "1"}, Status: &flamev1.ExecutorStatus{State: flamev1.ExecutorState_EXECUTOR_STATE_BOUND, SessionId: &s},
	}}})
	var unbound sync.Once
	done := false
	client := asked(t, func(method string, stream grpc.ServerStream) error {
		switch method {
		case "ListExecutor":
			return stream.SendMsg(executors)
		case "GetSession":
			return stream.SendMsg(wire(t, session))
		}
		unbound.Do(func() { done = method == "UnbindExecutor" })
		return stream.SendMsg([]byte{})
	})
	require.NoError(t, client.Unbind(t.Context(), "1"))
	assert.True(t, done)
}

func TestLostTasksOfASessionWithLargeDataAreNotLookedFor(t *testing.T) {
	task := wire(t, &flamev1.Task{Metadata: &flamev1.Metadata{Id: "1"}, Spec: &flamev1.TaskSpec{Input: make([]byte, 2*mebi)}})
	client := asked(t, func(method string, stream grpc.ServerStream) error {
		if method == "GetSession" {
			return stream.SendMsg(wire(t, &flamev1.Session{Metadata: &flamev1.Metadata{Id: "s"}}))
		}
		return stream.SendMsg(task)
	})
	answers, err := client.LostTasks(t.Context(), append(asks("s"), asks("t")...))
	require.NoError(t, err)
	assert.Equal(t, []observation.Answer{{Session: "s", At: noon, Unclear: true}, {Session: "t", At: noon, Unclear: true}}, answers)
}
