// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"reflect"

	"k8s.io/apimachinery/pkg/api/resource"
)

// contains reports whether live holds everything that is wanted.
//
//   - Maps may hold more than is wanted.
//   - Lists of maps may hold more elements, which may hold more fields.
//   - Lists of scalars are equal or not.
//   - Numbers are compared by value, and so are quantities in fields that hold one.
//   - A value that is wanted empty may be missing; a wanted false may not, since many
//     fields are true if they are missing.
func contains(live, want any, field string) bool {
	switch want := want.(type) {
	case nil:
		return true
	case map[string]any:
		return containsMap(live, want, field)
	case []any:
		return containsList(live, want, field)
	case string:
		text, ok := live.(string)
		return ok && (text == want || isQuantity(field) && sameQuantity(text, want)) || live == nil && want == ""
	case bool:
		return live == any(want)
	default:
		return sameNumber(live, want)
	}
}

func containsMap(live any, want map[string]any, field string) bool {
	fields, ok := live.(map[string]any)
	if !ok {
		return live == nil && len(want) == 0
	}
	for name, value := range want {
		below := name
		// Resources are quantities under names of any kind.
		if isQuantity(field) {
			below = field
		}
		if !contains(fields[name], value, below) {
			return false
		}
	}
	return true
}

func containsList(live any, want []any, field string) bool {
	elements, ok := live.([]any)
	if !ok {
		return live == nil && len(want) == 0
	}
	if len(want) > 0 && !isMap(want[0]) {
		return reflect.DeepEqual(elements, want)
	}
	for i, value := range want {
		if i < len(elements) && contains(elements[i], value, field) {
			continue
		}
		if !containsElement(elements, value, field) {
			return false
		}
	}
	return true
}

func containsElement(elements []any, want any, field string) bool {
	for _, element := range elements {
		if contains(element, want, field) {
			return true
		}
	}
	return false
}

func isMap(value any) bool {
	_, ok := value.(map[string]any)
	return ok
}

// isQuantity reports whether a field holds a quantity, or a map of quantities. Elsewhere
// "1" and "1.0" are different texts.
func isQuantity(field string) bool {
	switch field {
	case "limits", "requests", "sizeLimit", "capacity", "divisor":
		return true
	default:
		return false
	}
}

func sameQuantity(a, b string) bool {
	left, err := resource.ParseQuantity(a)
	if err != nil {
		return false
	}
	right, err := resource.ParseQuantity(b)
	return err == nil && left.Cmp(right) == 0
}

func sameNumber(live, want any) bool {
	wanted, ok := number(want)
	if !ok {
		return reflect.DeepEqual(live, want)
	}
	if live == nil {
		return wanted == 0
	}
	value, ok := number(live)
	return ok && value == wanted
}

func number(value any) (float64, bool) {
	switch value := value.(type) {
	case int64:
		return float64(value), true
	case float64:
		return value, true
	default:
		return 0, false
	}
}
