// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/xflops/flame-operator/internal/flame/observation"
	"github.com/xflops/flame-operator/internal/podstate"
)

func TestANameThatNoPodCanHaveIsNoStranger(t *testing.T) {
	const prefix = "c-executor-manager-"
	for name, stranger := range map[string]bool{
		prefix + "bx7mk":     true,
		prefix + "bx7mk/b":   false,
		prefix + "Bx7mk":     false,
		prefix + "bx.7mk":    false,
		prefix:               false,
		"d-executor-manager": false,
	} {
		got := Strangers(says(60, node(name, observation.Ready)), prefix, nil)
		assert.Equal(t, stranger, len(got) > 0, name)
	}
}

func TestStrangersAreLookedAfterSoManyAtATime(t *testing.T) {
	var parts []func(*observation.Observation)
	for i := range 3 * mostStrangers {
		parts = append(parts, node(fmt.Sprintf("c-%04d", i), observation.Ready))
	}
	got := Strangers(says(60, parts...), "c-", []podstate.Pod{{Name: "c-0000"}})
	assert.Len(t, got, mostStrangers)
	assert.Equal(t, "c-0001", got[0], "those that are pods do not count")
}

func TestWhatIsProvenOfAProcess(t *testing.T) {
	drains := podstate.Pod{Name: "drains", Terminating: true, GraceGiven: true, DeletedAt: ago(60)}
	ended := podstate.Pod{Name: "ended", Ended: true}
	gone, before := Absences(nil).Prove([]podstate.Pod{drains, ended, {Name: "runs"}}, nil, nil, ago(50))
	assert.Empty(t, gone)

	strangers := []string{"drains", "ended", "hidden", "runs"}
	assert.Equal(t, []string{"drains", "hidden", "runs"}, before.Doubtful(strangers), "a kubelet's word needs no other")
	found := map[string]podstate.Pod{"hidden": {Name: "hidden"}}
	gone, after := before.Prove(nil, strangers, found, ago(40))
	assert.Equal(t, []Gone{
		{Name: "drains", Process: Absent, Since: ago(40), DeletedAt: ago(60)},
		{Name: "ended", Process: Ended, Since: ago(40)},
		{Name: "hidden", Process: Alive, Since: ago(40)},
		{Name: "runs", Process: Absent, Since: ago(40)},
	}, gone)

	found["hidden"] = podstate.Pod{Name: "hidden", Ended: true}
	gone, after = after.Prove(nil, strangers, found, ago(30))
	assert.Equal(t, []Gone{
		{Name: "drains", Process: Absent, Since: ago(40), DeletedAt: ago(60)},
		{Name: "ended", Process: Ended, Since: ago(40)},
		{Name: "hidden", Process: Ended, Since: ago(30)},
		{Name: "runs", Process: Absent, Since: ago(40)},
	}, gone)
	gone, _ = after.Prove(nil, []string{"hidden"}, nil, ago(20))
	assert.Equal(t, []Gone{{Name: "hidden", Process: Ended, Since: ago(30)}}, gone, "and stays so when the pod is gone")
}
