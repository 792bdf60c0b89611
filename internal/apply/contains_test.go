// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

func TestContains(t *testing.T) {
	tests := map[string]struct {
		live, want string
		wantMatch  bool
	}{
		"equal objects match":                            {`{a: 1, b: {c: x}}`, `{a: 1, b: {c: x}}`, true},
		"a map may hold more":                            {`{a: 1, b: {c: x, d: y}}`, `{b: {c: x}}`, true},
		"a missing field does not match":                 {`{b: {}}`, `{b: {c: x}}`, false},
		"another value does not match":                   {`{b: {c: y}}`, `{b: {c: x}}`, false},
		"another kind of value does not match":           {`{b: 1}`, `{b: "1"}`, false},
		"a list of maps may hold more elements":          {`{l: [{name: z}, {name: a, x: 1}]}`, `{l: [{name: a}]}`, true},
		"whatever their order":                           {`{l: [{name: b}, {name: a}]}`, `{l: [{name: a}, {name: b}]}`, true},
		"a missing element does not match":               {`{l: [{name: a}]}`, `{l: [{name: a}, {name: b}]}`, false},
		"a changed element does not match":               {`{l: [{name: a, x: 2}]}`, `{l: [{name: a, x: 1}]}`, false},
		"a missing list of maps does not match":          {`{}`, `{l: [{name: a}]}`, false},
		"a list of scalars matches if equal":             {`{l: [a, b]}`, `{l: [a, b]}`, true},
		"not with more elements":                         {`{l: [a, b, c]}`, `{l: [a, b]}`, false},
		"nor in another order":                           {`{l: [b, a]}`, `{l: [a, b]}`, false},
		"numbers match by value":                         {`{a: 1.0}`, `{a: 1}`, true},
		"other numbers do not":                           {`{a: 2}`, `{a: 1}`, false},
		"quantities match by value where a field is one": {`{limits: {cpu: "1"}, sizeLimit: 1Gi}`, `{limits: {cpu: 1000m}, sizeLimit: 1024Mi}`, true},
		"other quantities do not":                        {`{limits: {cpu: "2"}}`, `{limits: {cpu: 1000m}}`, false},
		"text that looks like a quantity is text":        {`{data: {a: "1"}}`, `{data: {a: "1.0"}}`, false},
		"an empty map may be missing":                    {`{}`, `{a: {}}`, true},
		"an empty list may be missing":                   {`{}`, `{a: []}`, true},
		"an empty text may be missing":                   {`{}`, `{a: ""}`, true},
		"a zero may be missing":                          {`{}`, `{a: 0}`, true},
		"a null asks for nothing":                        {`{}`, `{a: null}`, true},
		"a false may not be missing":                     {`{}`, `{a: false}`, false},
		"a false is a false":                             {`{a: false}`, `{a: false}`, true},
		"a true is no false":                             {`{a: true}`, `{a: false}`, false},
		"something in place of an empty text":            {`{a: x}`, `{a: ""}`, false},
		"a map in place of a list":                       {`{a: {}}`, `{a: [{b: 1}]}`, false},
		"a list in place of a map":                       {`{a: []}`, `{a: {b: 1}}`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.wantMatch, contains(parse(t, test.live), parse(t, test.want), ""))
		})
	}
}

func parse(t *testing.T, text string) any {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	require.NoError(t, err)
	var value map[string]any
	require.NoError(t, json.Unmarshal(data, &value))
	return value
}
