// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package stored

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/words"
	"github.com/xflops/flame-operator/test/clusters"
)

// within fails a test whose work is not done within a second: a quantity may take for ever.
func within(t *testing.T, what string, work func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		work()
	}()
	select {
	case <-done:
	case <-time.After(time.Second):
		require.Fail(t, "this takes more than a second", what)
	}
}

func read(t *testing.T, fields map[string]any) (cluster *flamev1alpha1.FlameCluster, problems []string) {
	t.Helper()
	within(t, "to read it", func() {
		var err error
		cluster, problems, err = Read(&unstructured.Unstructured{Object: fields})
		assert.NoError(t, err)
	})
	return cluster, problems
}

func TestEveryQuantityThatCannotBeReadIsToldByField(t *testing.T) {
	for _, place := range clusters.QuantityPlaces(t) {
		for _, text := range slices.Concat(clusters.Unreadable, clusters.NoQuantities) {
			cluster, problems := read(t, clusters.Stored(t, clusters.Minimal, place, text))
			require.Len(t, problems, 1, "%s: %q", place, words.Cut(text, 40))
			assert.True(t, strings.HasPrefix(problems[0], place.String()+" is "), "%s: %s", place, problems[0])
			assert.Less(t, len(problems[0]), 400, place)
			assert.Equal(t, "docker.io/xflops/flame-executor-manager:v0.6.0", cluster.Spec.ExecutorManager.Image, "the rest is read: %s", place)
		}
	}
}

func TestEveryQuantityThatCanBeReadIs(t *testing.T) {
	for _, place := range clusters.QuantityPlaces(t) {
		for _, value := range []any{"1", int64(2), "500m", "1.5Gi", ".5", "1.", "-3", "+4k", "12e6", "1E-3", "1E", "1e18", "9223372036854775807", nil} {
			_, problems := read(t, clusters.Stored(t, clusters.Minimal, place, value))
			require.Empty(t, problems, "%s: %v", place, value)
		}
	}
}

func TestWhatIsTakenForAQuantityIsOneForGo(t *testing.T) {
	for _, text := range []string{"1", "+1.", "-.5k", "1e18", "1E-9", "1e+3", "0e0", strings.Repeat("9", 64), "0." + strings.Repeat("0", 60) + "1", "8Ei", "1n"} {
		require.Empty(t, refuse(text), text)
		parses(t, text)
	}
}

// parses has Go parse a text, and compare it, within a second.
func parses(t *testing.T, text string) {
	t.Helper()
	within(t, text, func() {
		quantity, err := resource.ParseQuantity(text)
		assert.NoError(t, err, text)
		quantity.Cmp(resource.MustParse("1Gi"))
		quantity.Value()
	})
}

func FuzzWhatIsTakenForAQuantityIsOneForGo(f *testing.F) {
	for _, text := range slices.Concat([]string{"1Gi", "1.5e3", "-2E-3", "+.5m"}, clusters.Unreadable, clusters.NoQuantities) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if refuse(text) == "" {
			parses(t, text)
		}
	})
}

func TestProblemsAreToldInAUsersWords(t *testing.T) {
	const hint = ": write a number with or without a suffix, such as 2, 500m, 512Mi or 1Gi"
	for name, c := range map[string]struct {
		spec string
		want []string
	}{
		"a form that Go does not know": {
			`{"sessionManager": {"resources": {"limits": {"memory": "1e1.5"}}}}`,
			[]string{`sessionManager.resources.limits.memory is "1e1.5", which is no quantity` + hint},
		},
		"an exponent that nothing needs": {
			`{"sessionManager": {"slot": {"memory": "1e9999999"}}}`,
			[]string{`sessionManager.slot.memory is "1e9999999", whose exponent is not between -9 and 18` + hint},
		},
		"a text that is too long": {
			`{"objectCache": {"eviction": {"maxMemory": "` + strings.Repeat("1", 5000) + `"}}}`,
			[]string{`objectCache.eviction.maxMemory is "` + strings.Repeat("1", 40) + `…", which has 5000 characters where a quantity has at most 64` + hint},
		},
		"a key that is no name": {
			`{"executorManager": {"resources": {"limits": {"nvidia.com/gpu": "one"}}}}`,
			[]string{`executorManager.resources.limits["nvidia.com/gpu"] is "one", which is no quantity` + hint},
		},
		"a number of JSON": {
			`{"executorManager": {"podTemplate": {"spec": {"containers": [{"resources": {"limits": {"cpu": 1e300}}}]}}}}`,
			[]string{`executorManager.podTemplate.spec.containers[0].resources.limits.cpu is "1e+300", whose exponent is not between -9 and 18` + hint},
		},
		"a field in capitals, which some decoders take": {
			`{"executorManager": {"podTemplate": {"spec": {"OVERHEAD": {"cpu": "1e2147483648"}}}}}`,
			[]string{`executorManager.podTemplate.spec.OVERHEAD.cpu is "1e2147483648", whose exponent is not between -9 and 18` + hint},
		},
		"a field with a long s, which some decoders take, too": {
			`{"executorManager": {"podTemplate": {"spec": {"reſources": {"limits": {"cpu": "1e.5"}}}}}}`,
			[]string{`executorManager.podTemplate.spec.reſources.limits.cpu is "1e.5", which is no quantity` + hint},
		},
		"something that is no quantity at all is the decoder's": {`{"executorManager": {"podTemplate": {"spec": {"overhead": {"cpu": true}}}}}`, nil},
		"a field of another type": {
			`{"executorManager": {"replicas": "three"}}`,
			[]string{"executorManager.replicas is a string, and has to be a number"},
		},
		"a slot of the first public FlameCluster": {
			`{"sessionManager": {"slot": "cpu=1,mem=1g"}}`, []string{"sessionManager.slot is a string, and has to be an object"},
		},
		"a storage of the first public FlameCluster": {
			`{"objectCache": {"storage": "/var/lib/flame/cache"}}`, []string{"objectCache.storage is a string, and has to be an object"},
		},
		"an object in place of a list": {
			`{"executorManager": {"tolerations": {}}}`, []string{"executorManager.tolerations is an object, and has to be a list"},
		},
		"a number in place of a text": {
			`{"executorManager": {"image": 1.5}}`, []string{"executorManager.image is a number, and has to be a string"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var spec map[string]any
			require.NoError(t, json.Unmarshal([]byte(c.spec), &spec))
			cluster, problems := read(t, map[string]any{"metadata": map[string]any{"name": "c"}, "spec": spec})
			assert.Equal(t, c.want, problems)
			assert.Equal(t, "c", cluster.Name)
		})
	}
}

func TestManyProblemsAreBounded(t *testing.T) {
	limits := map[string]any{}
	for i := range 1000 {
		limits[strings.Repeat("x", 1000+i)] = "1e.5"
	}
	_, problems := read(t, map[string]any{"spec": map[string]any{"sessionManager": map[string]any{"resources": map[string]any{"limits": limits}}}})
	require.Len(t, problems, mostProblems+1)
	assert.Equal(t, "992 more quantities cannot be read either", problems[mostProblems])
	assert.Less(t, len(strings.Join(problems, "; ")), 4000)
}

func TestAStatusThatCannotBeReadIsLeftOut(t *testing.T) {
	fields := clusters.Stored(t, clusters.Minimal, nil, nil)
	fields["spec"] = map[string]any{"suspend": true}
	fields["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Ready", "lastTransitionTime": "yesterday"}}}
	cluster, problems := read(t, fields)
	assert.Empty(t, problems)
	assert.True(t, cluster.Spec.Suspend)
	assert.Empty(t, cluster.Status)
}

func TestReadingLeavesTheObjectAsItIs(t *testing.T) {
	place := clusters.Place{"sessionManager", "slot", "memory"}
	fields := clusters.Stored(t, clusters.Minimal, place, "1e1.5")
	read(t, fields)
	assert.Equal(t, clusters.Stored(t, clusters.Minimal, place, "1e1.5"), fields, "it may be the cache's")
}

// Quantities in a status would have to be looked at before the status is read.
func TestNoQuantityIsInAStatus(t *testing.T) {
	assert.NotContains(t, typesOf(reflect.TypeFor[flamev1alpha1.FlameClusterStatus](), nil), quantityType)
}

func typesOf(t reflect.Type, known []reflect.Type) []reflect.Type {
	if slices.Contains(known, t) {
		return known
	}
	known = append(known, t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return typesOf(t.Elem(), known)
	case reflect.Struct:
		for field := range t.Fields() {
			known = typesOf(field.Type, known)
		}
	}
	return known
}
