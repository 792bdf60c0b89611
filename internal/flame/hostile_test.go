// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame_test

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"k8s.io/utils/ptr"

	"github.com/xflops/flame-operator/internal/flame"
	"github.com/xflops/flame-operator/internal/flame/flametest"
	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

const mebi = 1 << 20

// lists answers with a list of sessions, and with empty ones of executors and nodes.
func lists(sessions []byte) flametest.Answer {
	return listing(map[string][]byte{"ListSession": sessions})
}

func listing(answers map[string][]byte) flametest.Answer {
	return func(method string, stream grpc.ServerStream) error { return stream.SendMsg(answers[method]) }
}

// entries is a list of so many of an entry.
func entries(entry []byte, count int) []byte {
	return bytes.Repeat(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), entry), count)
}

// distinct is a list of so many entries that have nothing but an ID.
func distinct(count int) []byte {
	var list []byte
	for i := range count {
		id := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), fmt.Sprintf("%05x", i))
		named := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), id)
		list = protowire.AppendBytes(protowire.AppendTag(list, 1, protowire.BytesType), named)
	}
	return list
}

func wire(t *testing.T, message proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(message)
	require.NoError(t, err)
	return b
}

func sessionList(t *testing.T, sessions ...*flamev1.Session) []byte {
	t.Helper()
	return wire(t, &flamev1.SessionList{Sessions: sessions})
}

// asked is a client of a server that answers anything.
func asked(t *testing.T, answer flametest.Answer) *flame.Client {
	t.Helper()
	network := flametest.NewNetwork(t)
	network.ServeRaw(answer, "flame")
	client, err := flame.NewClient(target("flame"), network.Dial, func() time.Time { return noon })
	require.NoError(t, err)
	return client
}

// memory returns by how much the heap grew at most while a function ran, in MiB, with
// garbage collected as often as in the operator.
func memory(do func()) int {
	defer debug.SetGCPercent(debug.SetGCPercent(50))
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	before := stats.HeapAlloc
	most, done := before, make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	for {
		select {
		case <-done:
			return int(most-before) / mebi
		case <-time.After(time.Millisecond):
			runtime.ReadMemStats(&stats)
			most = max(most, stats.HeapAlloc)
		}
	}
}

func TestHostileListsAreRefusedInLittleMemory(t *testing.T) {
	const lower = "lower sessionManager.maxSessions, or keep less common data in sessions"
	named := func(id string) *flamev1.Metadata { return &flamev1.Metadata{Id: id, Name: id} }
	tests := map[string]struct {
		answers map[string][]byte
		want    error
		says    string
	}{
		"more than is ever read": {
			answers: map[string][]byte{"ListSession": make([]byte, 40*mebi+1)}, want: observation.ErrTooLarge,
			says: "list the sessions of Flame: the session manager answers with more than the operator takes: its list of sessions has 41 MiB, of 32 MiB at most; " + lower,
		},
		"sessions of two bytes": {
			answers: map[string][]byte{"ListSession": entries(nil, 16*mebi)}, want: observation.ErrAnswer, says: "cannot be read",
		},
		"sessions that have nothing but a name": {
			answers: map[string][]byte{"ListSession": distinct(2 * mebi)}, want: observation.ErrTooLarge,
			says: "it lists more than 50000 open sessions, executors and nodes",
		},
		"executors that have nothing but a name": {
			answers: map[string][]byte{"ListExecutor": distinct(2 * mebi)}, want: observation.ErrTooLarge,
			says: "it lists more than 50000 open sessions, executors and nodes",
		},
		"all three together": {
			answers: map[string][]byte{"ListSession": distinct(20_000), "ListExecutor": distinct(20_000), "ListNodes": entries(wire(t, &flamev1.Node{Metadata: named("n")}), 10_001)},
			want:    observation.ErrTooLarge, says: "it lists more than 50000 open sessions, executors and nodes",
		},
		"a part that is longer than all": {
			answers: map[string][]byte{"ListSession": {0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0}}, want: observation.ErrAnswer, says: "cannot be read",
		},
		"nonsense": {
			answers: map[string][]byte{"ListSession": bytes.Repeat([]byte{0xff}, mebi)}, want: observation.ErrAnswer, says: "cannot be read",
		},
		"a name that is no text": {
			answers: map[string][]byte{"ListSession": {0x0a, 0x05, 0x0a, 0x03, 0x0a, 0x01, 0xff}}, want: observation.ErrAnswer, says: "cannot be read",
		},
		"a session of a very long name": {
			answers: map[string][]byte{"ListSession": sessionList(t, &flamev1.Session{Metadata: named(strings.Repeat("x", 256))})},
			want:    observation.ErrTooLarge, says: "one of its names has more than 255 bytes; give sessions shorter IDs",
		},
		"a node without a name": {
			answers: map[string][]byte{"ListNodes": wire(t, &flamev1.NodeList{Nodes: []*flamev1.Node{{}}})}, want: observation.ErrAnswer, says: "cannot be read",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			client := asked(t, listing(test.answers))
			var o observation.Observation
			var err error
			used := memory(func() { o, err = client.Observe(t.Context()) })
			require.ErrorIs(t, err, test.want)
			assert.ErrorContains(t, err, test.says)
			assert.Less(t, len(err.Error()), 500)
			assert.Zero(t, o)
			assert.Less(t, used, 100, "MiB")
			t.Logf("%d MiB", used)
		})
	}
}

func TestWhatIsNotAskedForTakesLittleMemory(t *testing.T) {
	named := &flamev1.Metadata{Id: "s", Name: "s"}
	tests := map[string]struct {
		session *flamev1.Session
		want    observation.Session
	}{
		"common data": {
			session: &flamev1.Session{Metadata: named, Spec: &flamev1.SessionSpec{CommonData: make([]byte, 31*mebi)}},
		},
		"the name of an application": {
			session: &flamev1.Session{Metadata: named, Spec: &flamev1.SessionSpec{Application: strings.Repeat("x", 31*mebi)}},
			want:    observation.Session{Application: strings.Repeat("x", 255)},
		},
		"a session without a spec and a status": {session: &flamev1.Session{Metadata: named}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			client := asked(t, lists(sessionList(t, test.session)))
			var o observation.Observation
			var err error
			used := memory(func() { o, err = client.Observe(t.Context()) })
			require.NoError(t, err)
			test.want.ID, test.want.Open, test.want.BatchSize = "s", true, 1
			assert.Equal(t, []observation.Session{test.want}, o.Sessions)
			assert.Less(t, used, 100, "MiB")
			t.Logf("%d MiB", used)
		})
	}
}

func TestEventsAreCountedAndNotKept(t *testing.T) {
	event := wire(t, &flamev1.Event{Code: 1001, Message: new(string)})
	events := bytes.Repeat(protowire.AppendBytes(protowire.AppendTag(nil, 8, protowire.BytesType), event), 4*mebi)
	session := wire(t, &flamev1.Session{Metadata: &flamev1.Metadata{Id: "s"}})
	session = protowire.AppendBytes(protowire.AppendTag(session, 3, protowire.BytesType), events)
	client := asked(t, lists(entries(session, 1)))
	var o observation.Observation
	var err error
	used := memory(func() { o, err = client.Observe(t.Context()) })
	require.NoError(t, err)
	assert.Equal(t, 4*mebi, o.Sessions[0].BindFailures)
	assert.Less(t, used, 150, "MiB")
	t.Logf("%d MiB", used)
}

func TestTheNewestFailureSaysWhyASessionIsBlocked(t *testing.T) {
	const id = "0f0e0d0c-1234-4abc-8def-0123456789ab"
	failed := func(at int64, node, why string) *flamev1.Event {
		said := fmt.Sprintf("Executor <%s> on node <%s> failed to bind session with return_code <10>: %s", id, node, why)
		return &flamev1.Event{Code: 1001, Message: &said, CreationTime: at}
	}
	blocked := &flamev1.Event{Code: 1002, Message: ptr.To("Session retry limit reached after 5/5 failed attempts"), CreationTime: 9000}
	for name, test := range map[string]struct {
		events []*flamev1.Event
		want   string
	}{
		"the newest, wherever it stands": {[]*flamev1.Event{failed(2000, "a", "new"), failed(1000, "b", "old"), blocked}, "new"},
		"the last of one moment":         {[]*flamev1.Event{failed(1000, "a", "first"), failed(1000, "b", "second"), blocked}, "second"},
		"a session that may try again":   {[]*flamev1.Event{failed(1000, "a", "why")}, ""},
		"IDs and credentials": {
			[]*flamev1.Event{failed(1000, "a", "no data/"+id+"\n at https://me:secret@example.com/x"), blocked}, "no data/… at https:…example.com/x",
		},
		"a text of another kind":  {[]*flamev1.Event{{Code: 1001, Message: ptr.To("went wrong")}, blocked}, "went wrong"},
		"no text":                 {[]*flamev1.Event{failed(1000, "a", "why"), {Code: 1001, CreationTime: 2000}, blocked}, ""},
		"a text that is cut off":  {[]*flamev1.Event{failed(1000, "a", strings.Repeat("x", mebi)), blocked}, strings.Repeat("x", 512-len("Executor <> on node <a> failed to bind session with return_code <10>: ")-len(id))},
		"no failure, but a limit": {[]*flamev1.Event{blocked}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			session := &flamev1.Session{Metadata: &flamev1.Metadata{Id: "s"}, Status: &flamev1.SessionStatus{Events: test.events}}
			client := asked(t, lists(sessionList(t, session)))
			o, err := client.Observe(t.Context())
			require.NoError(t, err)
			assert.Equal(t, test.want, o.Sessions[0].BlockedWhy)
		})
	}
}

func TestErrorsOfAServerAreCutShort(t *testing.T) {
	tests := map[string]struct {
		answer flametest.Answer
		says   string
	}{
		"a long text": {
			answer: func(string, grpc.ServerStream) error {
				return status.Error(codes.Internal, strings.Repeat("ö", 2000))
			},
			says: "ööö…",
		},
		"a text that is longer than what is read": {
			answer: func(string, grpc.ServerStream) error {
				return status.Error(codes.Internal, strings.Repeat("x", mebi))
			},
			says: "INTERNAL_ERROR",
		},
		"a large header": {
			answer: func(_ string, stream grpc.ServerStream) error {
				return stream.SetHeader(metadata.Pairs("x", strings.Repeat("x", mebi)))
			},
			says: "INTERNAL_ERROR",
		},
		"the words with which gRPC refuses an answer": {
			answer: func(string, grpc.ServerStream) error {
				return status.Error(codes.ResourceExhausted, "grpc: received message larger than max (5 vs. 4)")
			},
			says: "(5 vs. 4)",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			client := asked(t, test.answer)
			_, err := client.Observe(t.Context())
			require.ErrorIs(t, err, observation.ErrAnswer)
			assert.ErrorContains(t, err, test.says)
			assert.Less(t, len(err.Error()), 500)
			err = client.Fence(t.Context(), "n")
			require.ErrorIs(t, err, observation.ErrAnswer)
			assert.Less(t, len(err.Error()), 500)
		})
	}
}

func TestWhatAResultSaysIsCutShort(t *testing.T) {
	text := strings.Repeat("x", 5000)
	client := asked(t, listing(map[string][]byte{"RegisterNode": wire(t, &flamev1.Result{ReturnCode: -1, Message: &text})}))
	err := client.Fence(t.Context(), "n")
	require.ErrorIs(t, err, observation.ErrAnswer)
	assert.ErrorContains(t, err, "return code -1: xxx")
	assert.Less(t, len(err.Error()), 500)
}

func TestTasksThatNeverEndAreLeft(t *testing.T) {
	ended := wire(t, &flamev1.Session{Metadata: &flamev1.Metadata{Id: "s"}})
	one := wire(t, &flamev1.Task{Metadata: &flamev1.Metadata{Id: "7"}})
	var tasks atomic.Int64
	client := asked(t, func(method string, stream grpc.ServerStream) error {
		switch method {
		case "GetSession":
			return stream.SendMsg(ended)
		case "ListTask":
			for stream.SendMsg(one) == nil {
				tasks.Add(1)
			}
			return nil
		default:
			return stream.SendMsg(one)
		}
	})
	var answers []observation.Answer
	var err error
	used := memory(func() { answers, err = client.LostTasks(t.Context(), append(asks("s"), asks("t")...)) })
	t.Logf("%d MiB, %d tasks", used, tasks.Load())
	if err != nil { // This machine is very slow.
		require.ErrorIs(t, err, observation.ErrTimeout)
	} else {
		require.Len(t, answers, 2, "the next session is asked")
	}
	assert.True(t, answers[0].Unclear)
	assert.Less(t, used, 100, "MiB")
}
