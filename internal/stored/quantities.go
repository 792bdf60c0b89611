// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package stored

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/xflops/flame-operator/internal/words"
)

var (
	quantityType    = reflect.TypeFor[resource.Quantity]()
	overlayType     = reflect.TypeFor[runtime.RawExtension]()
	podTemplateType = reflect.TypeFor[corev1.PodTemplateSpec]()
)

// look goes through a value as its type says, and takes out each quantity that cannot be
// read. Names that differ only in case are the same, as they are to the laxest decoder.
func (p *problems) look(t reflect.Type, path string, value any) (keep bool) {
	switch {
	case t == quantityType:
		return p.check(path, value)
	case t == overlayType:
		return p.look(podTemplateType, path, value)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return p.look(t.Elem(), path, value)
	case reflect.Struct:
		p.entries(path, value, func(name string) (reflect.Type, string) { return fieldOf(t, name), field(name) })
	case reflect.Map:
		p.entries(path, value, func(name string) (reflect.Type, string) { return t.Elem(), key(name) })
	case reflect.Slice:
		elements, _ := value.([]any)
		for i, element := range elements {
			if !p.look(t.Elem(), fmt.Sprintf("%s[%d]", path, i), element) {
				elements[i] = nil
			}
		}
	default: // Neither a quantity nor anything that holds one.
	}
	return true
}

// entries looks at those members of a JSON object that have a type, in a fixed order.
func (p *problems) entries(path string, value any, of func(name string) (reflect.Type, string)) {
	object, _ := value.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		t, step := of(name)
		if t != nil && !p.look(t, strings.TrimPrefix(path+step, "."), object[name]) {
			delete(object, name)
		}
	}
}

// fieldOf returns the type of the field that a JSON name stands for, or nil.
func fieldOf(t reflect.Type, name string) reflect.Type {
	known, ok := fieldsByType.Load(t)
	if !ok {
		known, _ = fieldsByType.LoadOrStore(t, fieldsOf(t))
	}
	return known.(map[string]reflect.Type)[fold(name)]
}

// fieldsByType caches what fieldsOf returns, since fieldsOf takes far longer than reading a
// cluster.
var fieldsByType sync.Map

func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for _, field := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			fields[fold(name)] = field.Type
		}
	}
	return fields
}

// fold makes names the same that encoding/json takes for the same. Some letters, such as
// a long s, are lower case and become an ASCII letter only by way of upper case.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// field and key are the steps of a path, as kubectl explain and Kubernetes write them.
func field(name string) string { return "." + words.Cut(name, longestText) }

var plain = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

func key(name string) string {
	if plain.MatchString(name) {
		return field(name)
	}
	return fmt.Sprintf("[%q]", words.Cut(name, longestText))
}

const (
	// longestQuantity is more than any quantity needs: the largest has 19 digits.
	longestQuantity = 64
	// leastExponent and greatestExponent are those of the suffixes n and E. Kubernetes cuts
	// off what goes beyond them, and Go takes the longer the larger the exponent is.
	leastExponent, greatestExponent = -9, 18

	quantityHint = "write a number with or without a suffix, such as 2, 500m, 512Mi or 1Gi"
)

var quantityForm = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE]([+-]?[0-9]+))?$`)

// check reports whether a text, or a number, is a quantity that is read in no time. Any
// other value is left to the decoder, which has words for it.
func (p *problems) check(path string, value any) bool {
	text, ok := value.(string)
	if number, err := json.Marshal(value); !ok && err == nil && isNumber(value) {
		text, ok = string(number), true
	}
	if !ok {
		return true
	}
	why := refuse(text)
	if why != "" {
		p.add(fmt.Sprintf("%s is %q, %s: %s", path, words.Cut(text, longestText), why, quantityHint))
	}
	return why == ""
}

func isNumber(value any) bool {
	switch value.(type) {
	case int64, float64:
		return true
	}
	return false
}

// refuse returns why a text is not taken for a quantity; empty if it is one.
func refuse(text string) string {
	if len(text) > longestQuantity {
		return fmt.Sprintf("which has %d characters where a quantity has at most %d", len(text), longestQuantity)
	}
	parts := quantityForm.FindStringSubmatch(text)
	if parts == nil {
		return "which is no quantity"
	}
	if parts[4] == "" {
		return ""
	}
	exponent, err := strconv.Atoi(parts[4])
	if err != nil || exponent < leastExponent || exponent > greatestExponent {
		return fmt.Sprintf("whose exponent is not between %d and %d", leastExponent, greatestExponent)
	}
	return ""
}
