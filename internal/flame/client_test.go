// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame_test

import (
	"cmp"
	"context"
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/xflops/flame-operator/internal/flame"
	"github.com/xflops/flame-operator/internal/flame/flametest"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

var (
	one  = observation.Resources{CPU: 1, Memory: 1 << 30}
	four = observation.Resources{CPU: 4, Memory: 4 << 30, GPU: 2}
)

func target(host string) flame.Target {
	return flame.Target{Frontend: host + ":8080", Backend: host + ":8081"}
}

// dial starts a fake that lists an observation, and returns it with a client of it.
func dial(t *testing.T, o observation.Observation) (*flametest.Server, *flame.Client) {
	t.Helper()
	network := flametest.NewNetwork(t)
	server := network.Serve("flame")
	server.Set(o)
	client, err := flame.NewClient(target("flame"), network.Dial, func() time.Time { return noon })
	require.NoError(t, err)
	return server, client
}

func session(id string, pending, running int) observation.Session {
	return observation.Session{ID: id, Application: "flmping", Open: true, Pending: pending, Running: running, BatchSize: 1}
}

func executor(id, node string, state observation.ExecutorState, session string) observation.Executor {
	return observation.Executor{ID: id, Node: node, State: state, Session: session, Resreq: one}
}

func node(name string, state observation.NodeState) observation.Node {
	return observation.Node{Name: name, State: state, Capacity: four, Allocatable: four, Arch: "amd64", OS: "linux"}
}

func TestEverythingThatFlameTellsArrives(t *testing.T) {
	maximum := 7
	want := observation.Observation{
		At: noon,
		Sessions: []observation.Session{
			{ID: "closed", Application: "flmexec", BatchSize: 1, Succeeded: 5, Failed: 2, Cancelled: 3},
			{
				ID: "open", Application: "flmping", Open: true, Priority: 3, CreatedAt: noon, Pending: 11, Running: 2, MinInstances: 1,
				MaxInstances: &maximum, BatchSize: 4, Resreq: &four, BindFailures: 5, BlockedAt: noon.Add(time.Minute),
				BlockedWhy: "application installation failed: no such package",
			},
		},
		Executors: []observation.Executor{
			executor("1", "a", observation.Void, ""), executor("2", "a", observation.Idle, ""), executor("3", "a", observation.Binding, "open"),
			executor("4", "b", observation.Bound, "open"), executor("5", "b", observation.Unbinding, "open"),
			executor("6", "gone", observation.Releasing, ""), executor("7", "b", observation.Released, ""),
			executor("8", "b", observation.UnknownState, ""),
		},
		Nodes: []observation.Node{node("a", observation.Ready), node("b", observation.Unknown), node("c", observation.NotReady)},
	}
	_, client := dial(t, want)
	got, err := client.Observe(t.Context())
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func TestListsAreSortedWhateverTheirOrder(t *testing.T) {
	_, client := dial(t, observation.Observation{
		Sessions:  []observation.Session{session("b", 0, 0), session("a", 0, 0)},
		Executors: []observation.Executor{executor("2", "n", observation.Idle, ""), executor("1", "n", observation.Idle, "")},
		Nodes:     []observation.Node{node("b", observation.Ready), node("a", observation.Ready)},
	})
	o, err := client.Observe(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b", "1", "2", "a", "b"},
		[]string{o.Sessions[0].ID, o.Sessions[1].ID, o.Executors[0].ID, o.Executors[1].ID, o.Nodes[0].Name, o.Nodes[1].Name})
}

func TestSilenceHasAReasonAndNoValue(t *testing.T) {
	tests := map[string]struct {
		prepare func(*flametest.Server)
		target  flame.Target
		within  time.Duration
		want    error
	}{
		"nothing listens":              {target: target("nobody"), want: observation.ErrUnreachable},
		"it refuses":                   {target: target("flame"), prepare: func(s *flametest.Server) { s.Fail(status.Error(codes.Internal, "lock")) }, want: observation.ErrAnswer},
		"it hangs":                     {target: target("flame"), prepare: (*flametest.Server).Hang, within: 100 * time.Millisecond, want: observation.ErrTimeout},
		"the backend is asked instead": {target: flame.Target{Frontend: "flame:8081", Backend: "flame:8080"}, want: observation.ErrAnswer},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			network := flametest.NewNetwork(t)
			server := network.Serve("flame")
			server.Set(observation.Observation{Nodes: []observation.Node{node("n", observation.Ready)}})
			if test.prepare != nil {
				test.prepare(server)
			}
			client, err := flame.NewClient(test.target, network.Dial, time.Now)
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(test.within, time.Minute))
			defer cancel()
			o, err := client.Observe(ctx)
			require.ErrorIs(t, err, test.want)
			assert.Zero(t, o)
			assert.ErrorIs(t, client.Fence(ctx, "n"), test.want)
			assert.Empty(t, server.Calls())
		})
	}
}

func TestLargeAnswersArrive(t *testing.T) {
	var sessions []observation.Session
	for i := range 20_000 {
		sessions = append(sessions, session(fmt.Sprintf("%0255d", i), 1, 0))
	}
	server, client := dial(t, observation.Observation{Sessions: sessions})
	o, err := client.Observe(t.Context())
	require.NoError(t, err)
	assert.Equal(t, sessions, o.Sessions)
	assert.Equal(t, 2, server.Observed(), "as if it were small, and with more room")
}

func TestTLS(t *testing.T) {
	// The certificate that httptest brings is for example.com.
	example := httptest.NewTLSServer(nil)
	example.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: example.Certificate().Raw}))
	network := flametest.NewNetwork(t)
	network.ServeTLS(&example.TLS.Certificates[0], "example.com", "other.test").Set(idleNode)
	network.Serve("plain.test")
	tests := map[string]struct {
		host, ca string
		want     error
	}{
		"the certificate is the host's":                        {host: "example.com", ca: ca},
		"it is another host's":                                 {host: "other.test", ca: ca, want: observation.ErrUnreachable},
		"without a CA nothing encrypted is spoken":             {host: "example.com", want: observation.ErrUnreachable},
		"with a CA nothing is spoken that is not encrypted":    {host: "plain.test", ca: ca, want: observation.ErrUnreachable},
		"without a CA what is not encrypted is spoken, though": {host: "plain.test"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			place := target(test.host)
			place.CA = test.ca
			client, err := flame.NewClient(place, network.Dial, time.Now)
			require.NoError(t, err)
			_, err = client.Observe(t.Context())
			assert.ErrorIs(t, err, test.want)
		})
	}
}

func TestDialerIsCalledOnlyWhenNeededAndNothingStaysOpen(t *testing.T) {
	network := flametest.NewNetwork(t)
	network.Serve("flame")
	var dialled []string
	var open []net.Conn
	client, err := flame.NewClient(target("flame"), func(ctx context.Context, address string) (net.Conn, error) {
		dialled = append(dialled, address)
		connection, err := network.Dial(ctx, address)
		open = append(open, connection)
		return connection, err
	}, time.Now)
	require.NoError(t, err)
	_, err = client.Observe(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"flame:8080"}, dialled)
	_, err = open[0].Write([]byte("x"))
	assert.Error(t, err, "writing to a connection after its work is done")
}
