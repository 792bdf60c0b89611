// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestARatioBelowItsFloorFails(t *testing.T) {
	bare := rate{pods: 100, took: 100 * time.Millisecond}
	for name, test := range map[string]struct {
		ours, bare rate
		want       verdict
	}{
		"as fast as the bare client":   {ours: bare, bare: bare, want: within},
		"just fast enough":             {ours: rate{pods: 70, took: 100 * time.Millisecond}, bare: bare, want: within},
		"a little too slow":            {ours: rate{pods: 69, took: 100 * time.Millisecond}, bare: bare, want: failed},
		"no pods at all":               {ours: rate{took: time.Second}, bare: bare, want: failed},
		"a bare client that made none": {ours: bare, bare: rate{took: time.Second}, want: failed},
		"nothing measured":             {want: failed},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, ratio("x", 0.7, test.ours, test.bare).verdict)
		})
	}
}

func TestAWriteAtRestFails(t *testing.T) {
	assert.Equal(t, within, writesAtRest("x", none, 0).verdict)
	assert.Equal(t, failed, writesAtRest("x", none, 1).verdict)
}

func TestWhatDependsOnTheMachineIsSaidAndFailsNothing(t *testing.T) {
	rows := []row{
		duration("fast", time.Second, "2 s", time.Second),
		duration("slow", time.Second, "2 s", 1100*time.Millisecond),
		amount("large", "MB", 120, "280 MB", 120.5),
	}
	assert.Equal(t, []verdict{within, over, over}, []verdict{rows[0].verdict, rows[1].verdict, rows[2].verdict})

	out := &strings.Builder{}
	assert.Zero(t, write(out, rows))
	assert.Contains(t, out.String(), "slow   ≤ 1.00 s  2 s      1.10 s    over budget")

	assert.Equal(t, 1, write(&strings.Builder{}, append(rows, writesAtRest("writes", none, 3))))
}

func TestMedian(t *testing.T) {
	assert.Equal(t, 2*time.Second, median([]time.Duration{9 * time.Second, time.Second, 2 * time.Second}))
	assert.Equal(t, time.Duration(math.MaxInt64), median([]time.Duration{math.MaxInt64}))
}

func TestOnlyWritesOfTheOperatorCount(t *testing.T) {
	log := strings.NewReader(`{"user":{"username":"flame-operator"},"verb":"patch","objectRef":{"resource":"flameclusters","subresource":"status","name":"c"}}
{"user":{"username":"flame-operator"},"verb":"update","objectRef":{"resource":"leases","name":"flame-operator"}}
{"user":{"username":"flame-operator"},"verb":"get","objectRef":{"resource":"pods","name":"p"}}
{"user":{"username":"admin"},"verb":"create","objectRef":{"resource":"pods","name":"q"}}
{"user":{"username":"flame-operator"},"verb":"create","objectRef":{"resource":"pods"}}
`)
	writes, err := readAudit(log)
	assert.NoError(t, err)
	assert.Equal(t, []string{"patch flameclusters/status c", "create pods"}, writes)
}

func TestAnAuditLogThatCannotBeReadIsNoSilence(t *testing.T) {
	_, err := readAudit(strings.NewReader("{"))
	assert.Error(t, err)
}
