// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package clusters

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/stretchr/testify/require"
)

// Unreadable are texts that the released schema takes for a quantity and Go does not,
// or not in no time.
var Unreadable = []string{
	"1e1.5", "1e.5", "1E3.", "1e2147483648", "1e2147483647", "1e-2147483648", "1e9999999", "1E+99999999999999999999", "1e19", "1e-10",
	strings.Repeat("9", 65), "0." + strings.Repeat("0", 100_000) + "1",
}

// NoQuantities are texts that no schema takes for a quantity. A podTemplate has none.
var NoQuantities = []string{"", ".", "e3", "1e", "1 Gi", "1gi", "1GiB", "0x10", "NaN", "1e3e3", "１Gi"}

// Place is where a spec can hold a quantity: names of fields, a "*" for each key of a
// map, and a "[]" for each element of a list.
type Place []string

// QuantityPlaces returns those of the shipped schema, and of each podTemplate.
func QuantityPlaces(t testing.TB) []Place {
	t.Helper()
	var places []Place
	spec := structuralSchema(t).Properties["spec"]
	walkSchema(&spec, nil, func(place Place, s *schema.Structural) {
		switch {
		case s.XIntOrString && s.ValueValidation != nil && strings.Contains(s.ValueValidation.Pattern, "KMGTPE"):
			places = append(places, place)
		case place[len(place)-1] == "podTemplate":
			walkType(reflect.TypeFor[corev1.PodTemplateSpec](), place, func(inner Place) { places = append(places, inner) })
		}
	})
	require.Greater(t, len(places), 60, "the walk finds too little")
	return places
}

func walkSchema(s *schema.Structural, place Place, visit func(Place, *schema.Structural)) {
	if len(place) > 0 {
		visit(slices.Clone(place), s)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		property := s.Properties[name]
		walkSchema(&property, append(place, name), visit)
	}
	if s.Items != nil {
		walkSchema(s.Items, append(place, "[]"), visit)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
		walkSchema(s.AdditionalProperties.Structural, append(place, "*"), visit)
	}
}

func walkType(t reflect.Type, place Place, visit func(Place)) {
	if t == reflect.TypeFor[resource.Quantity]() {
		visit(slices.Clone(place))
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		walkType(t.Elem(), place, visit)
	case reflect.Slice:
		walkType(t.Elem(), append(place, "[]"), visit)
	case reflect.Map:
		walkType(t.Elem(), append(place, "*"), visit)
	case reflect.Struct:
		for field := range t.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" {
				walkType(field.Type, place, visit)
			} else if name != "-" && field.IsExported() {
				walkType(field.Type, append(place, name), visit)
			}
		}
	}
}

// String is how a message names the place, with the key cpu in each map.
func (p Place) String() string {
	var text strings.Builder
	for _, step := range p {
		switch step {
		case "[]":
			text.WriteString("[0]")
		case "*":
			text.WriteString(".cpu")
		default:
			fmt.Fprintf(&text, ".%s", step)
		}
	}
	return strings.TrimPrefix(text.String(), ".")
}

// Put returns what a value becomes when a leaf is put at a place below it.
func (p Place) Put(value, leaf any) any {
	if len(p) == 0 {
		return leaf
	}
	if p[0] == "[]" {
		element := any(map[string]any{"name": "name"})
		if list, ok := value.([]any); ok && len(list) > 0 {
			element = list[0]
		}
		return []any{p[1:].Put(element, leaf)}
	}
	object, ok := value.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	step := p[0]
	if step == "*" {
		step = "cpu"
	}
	below := object[step]
	if required := siblings[step]; below == nil && required != nil {
		below = maps.Clone(required)
	}
	object[step] = p[1:].Put(below, leaf)
	return object
}

// siblings are the fields that the schema requires beside one with a quantity.
var siblings = map[string]map[string]any{
	"objectCache":      {"image": "docker.io/xflops/flame-object-cache:v0.6.0"},
	"resourceFieldRef": {"resource": "limits.cpu"},
}

// Stored returns the FlameCluster that text describes as it is stored, without
// defaults, with a leaf put at a place of its spec.
func Stored(t testing.TB, text string, place Place, leaf any) map[string]any {
	t.Helper()
	object := map[string]any{}
	require.NoError(t, yaml.Unmarshal([]byte(text), &object))
	object["apiVersion"], object["kind"] = "flame.xflops.io/v1alpha1", "FlameCluster"
	object["spec"] = place.Put(object["spec"], leaf)
	return object
}
