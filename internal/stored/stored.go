// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package stored reads FlameClusters as the API server stores them.
//
// The API server stores more than Go can read. The released schema of a quantity takes
// texts that Go does not parse, such as 1e1.5, and some on which Go spends seconds or never
// ends, such as 1e2147483648; and the schema cannot be tightened any more. A list or a
// watch of typed objects fails as a whole for one such text, and with it the operator for
// every cluster. So FlameClusters are read as they are, and each becomes a typed one by
// itself.
package stored

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "sigs.k8s.io/json"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/words"
)

// New returns an empty object to read a FlameCluster into.
func New() *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(flamev1alpha1.GroupVersion.WithKind("FlameCluster"))
	return object
}

// Read returns what an object says, and in a user's words which fields of its spec cannot
// be read. Such a field is left out; if the field is not known, the whole spec is left out.
// A status that cannot be read is left out too, since it is computed anew.
func Read(object *unstructured.Unstructured) (*flamev1alpha1.FlameCluster, []string, error) {
	fields := object.DeepCopy().Object
	var problems problems
	if spec, ok := fields["spec"].(map[string]any); ok {
		problems.look(reflect.TypeFor[flamev1alpha1.FlameClusterSpec](), "", spec)
	}
	cluster, err := decode(fields)
	if err == nil {
		return cluster, problems.list(), nil
	}
	delete(fields, "status")
	if cluster, again := decode(fields); again == nil {
		return cluster, problems.list(), nil
	}
	delete(fields, "spec")
	cluster, again := decode(fields)
	if again != nil {
		return nil, nil, fmt.Errorf("read FlameCluster %q: %w", object.GetName(), again)
	}
	problems.add(unreadable(err))
	return cluster, problems.list(), nil
}

// unreadable says why a spec cannot be read: which field is of another kind than it was,
// or is in another version of the API, or else what the decoder says.
func unreadable(err error) string {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) || wrong.Field == "" {
		return "the spec cannot be read: " + words.Cut(err.Error(), longestReason)
	}
	field := words.Cut(embedded.ReplaceAllString(strings.TrimPrefix(wrong.Field, "spec."), ""), longestReason)
	what, _, _ := strings.Cut(wrong.Value, " ") // What follows is the number itself.
	return fmt.Sprintf("%s is %s, and has to be %s", field, cmp.Or(kinds[what], what), kindOf(wrong.Type))
}

// embedded matches the names of embedded types, which Go has in the path of a field.
var embedded = regexp.MustCompile(`\.[A-Z]\w*`)

// kinds are the values of JSON as the decoder names them, and in words.
var kinds = map[string]string{"string": "a string", "number": "a number", "bool": "true or false", "array": "a list", "object": "an object"}

// kindOf returns what a type is in JSON, in words.
func kindOf(of reflect.Type) string {
	switch of.Kind() {
	case reflect.Struct, reflect.Map:
		return kinds["object"]
	case reflect.Slice:
		return kinds["array"]
	case reflect.String:
		return kinds["string"]
	case reflect.Bool:
		return kinds["bool"]
	}
	return kinds["number"]
}

func decode(fields map[string]any) (*flamev1alpha1.FlameCluster, error) {
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	cluster := &flamev1alpha1.FlameCluster{}
	if err := utiljson.UnmarshalCaseSensitivePreserveInts(text, cluster); err != nil {
		return nil, err
	}
	return cluster, nil
}

const (
	// longestReason is how much of a decoder's words is told, in bytes.
	longestReason = 256
	// longestText is how much of a user's text or name is told, in bytes with the ellipsis.
	longestText = 43
	// mostProblems is how many problems are told one by one.
	mostProblems = 8
)

// problems are those of a spec, of which only the first mostProblems are kept.
type problems struct {
	told  []string
	count int
}

func (p *problems) add(problem string) {
	if p.count++; p.count <= mostProblems {
		p.told = append(p.told, problem)
	}
}

func (p *problems) list() []string {
	if more := p.count - len(p.told); more > 0 {
		return append(p.told, fmt.Sprintf("%d more quantities cannot be read either", more))
	}
	return p.told
}
